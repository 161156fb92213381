"""The only place that knows SQL.

- `engine`          `Database`: PostgreSQL or SQLite, one transaction per scope
- `tables`          every table, constraint and the naming convention
- `insert_queries`  insert new records
- `record_queries`  find and change records; history
- `source_queries`  which lots are registered or revoked
- `handle_queries`  the handles below a prefix, in pages and counted
- `log_queries`     pending changes, leaves, tiles, entry bundles, log state
- `lookup_queries`  what the resolver reads: records by key, changes since a position
- `idempotency_queries`, `serial_queries`, `prefix_queries`, `template_queries`, `key_queries`,
  `import_queries`  what their names say
- `statistics_queries`  figures for the status page
- `schema_version`  which migration a database stands at (the guards are in `migrations/env.py`)

Every function takes the scope it runs in and never commits: `Database.write()` does, at its end.
The hot statements have a form of their own for each database, side by side in one function.
"""
