"""Load tests and benches, which see the product from outside: over its ports, never by import.

- `ledger`, `suites`   what a run was told; Locust users that verify every answer
- `reconcile`          the ledger beside the node, its log and the secondary node
- `acceptance`, `soak` the acceptance run; hours of load with faults
- `bench`              what the product reaches beside a ceiling measured in the same run
- `trials`             whole imports, sudden deaths, spoilt files, retries, a Redis that lies
- `fuzz`               messages bent out of shape, by the million
"""
