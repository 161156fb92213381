"""Values and rules: no framework, no I/O, no clock, no randomness.

- `identifiers`     schemes, grammar, canonical form, check characters, suffix profiles, recognition
- `prefix`          a prefix, its states and what they allow
- `template`        versioned templates: attributes, tiers, Handle indexes, validation
- `record_patterns` all attributes of a record matched at once
- `record`          what is registered, its canonical content and its life cycle
- `handle_value`    one value of a Handle record; `value_forms`: as it is stored, as it is shown
- `handle_record`   a whole Handle record, secrets opened; who administers a prefix
- `disclosure`      what the public may see of a record
- `rare_earth`, `product_catalogue`   REO arithmetic, balance rules, products
- `lot_facts`, `lot_rules`   what is known of a lot, and what it must satisfy
- `log_entry`       the public leaf of one change
- `resolution_event`, `resolution_spool`   a look-up as it is counted; the files it is noted in
- `counting`        which class a look-up is of; journals, statements, campaigns
- `merkle_tree`, `tiles`, `signed_note`, `checkpoint`, `tlog_proof`   the tamper-evident log
"""
