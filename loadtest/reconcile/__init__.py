"""What a load run was told, beside what the node, its log and the secondary node hold.

`python -m loadtest.reconcile --ledger DIR --node URL --secondary H:P …` prints every difference:
which identifier, on which side, what. From the bottom up:

- `difference`         one difference, and how many are shown
- `expected_state`     the ledger added up: each identifier's state, and the counts
- `log_copy`           the whole log, read and recomputed by a verifier that is not the product's
- `node_records`       every record, as the node's API gives it to its owner
- `export_records`     the same exported from the database, for large runs
- `secondary_records`  what the secondary node holds, asked by its own gRPC calls
- `comparison`         ledger, records, log and secondary node against each other (pure)
- `figures`            the node's figures of registrations and resolutions
- `__main__`           the command

Invariants: each side is read through its public face; nothing is written anywhere; a side that
cannot be read is a difference, never a silence. Exit status: 0 no difference, 1 differences,
2 something could not be read at all.
"""
