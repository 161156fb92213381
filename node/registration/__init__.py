"""The use cases that change the register, and the sequencer that logs them.

- `requests`     what may be asked: registration items, changes; actors and their roles
- `directory`    a refreshed picture of prefixes, templates and keys, so no request waits for them
- `admission`    pure: is this item allowed and valid? -> the record it would become
- `sealing`      content -> canonical bytes, salt, commitment, public leaf
- `register`     the only way a record enters the register: one, many, from API or file
- `coalescer`    many concurrent single registrations -> few transactions, without a timer
- `life_cycle`   change, suspend, resume, revoke
- `sequencer`    pending changes -> numbered leaves, tree, signed checkpoint: one writer
- `keys_on_disk` the node's own secrets: log signing key, identifier-tag key, cache key
"""
