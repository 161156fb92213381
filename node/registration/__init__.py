"""The use cases that change the register, and the sequencer that logs them.

- `requests`     what may be asked: registration items, changes; actors and their roles
- `picture`      what judging needs to know of prefixes, templates and keys
- `directory`    a refreshed picture of prefixes, templates and keys, so no request waits for them
- `admission`    pure: is this item allowed and valid? -> the record it would become
- `preparation`  items -> sealed records ready to be stored, row by row, before any lock
- `sealing`      content -> canonical bytes, salt, commitment, public leaf
- `random_blocks` random bytes for salts, by the block
- `register`     the only way a record enters the register: one, many, from API or file
- `coalescer`    many concurrent single registrations -> few transactions, without a timer
- `life_cycle`   change, suspend, resume, revoke
- `value_rules`  which Handle values a record may hold, and who may write which
- `handle_records` records as Handle faces read and write them, by the use cases above
- `handle_values`, `secret_sealer`   a record as values and back; its secret keys, sealed
- `sequencer`    pending changes -> numbered leaves, tree, signed checkpoint: one writer
- `keys_on_disk` the node's own secrets: log signing key, identifier-tag key, cache key
- `handle_keys`  those of the Handle faces: what seals secrets, the key pair of the site
"""
