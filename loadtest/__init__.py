"""Load tests and benches, which see the product from outside: over its ports, never by import.

- `bench`    what the product reaches beside a ceiling measured in the same run
- `trials`   whole imports, sudden deaths, spoilt files, repeated requests, a Redis that lies
- `fuzz`     messages bent out of shape, by the million
"""
