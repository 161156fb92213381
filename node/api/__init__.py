"""The HTTP face of the register: thin; every rule lives below it.

- `app`                 builds the application: hot writes before FastAPI, the rest in it
- `registration_routes` register, batch, read, change, life cycle, reserve
- `early_registration`  one registration, before the framework sees it
- `route_edge`          header fields and counts around every answer
- `import_routes`       upload, progress, result, pause, resume, confirm
- `log_routes`          checkpoint, tiles, entry bundles, receipts (C2SP)
- `operation_routes`    status, health, readiness, metrics
- `log_reader`          checkpoint, tiles and proofs out of the database
- `access_control`      bearer key -> actor
- `openapi`             the machine-readable description of the routes
- `docs_page`           the same for people
- `problems`            the one translator: errors -> RFC 9457 problem documents
- `exchange`            reading bodies within limits, writing JSON
"""
