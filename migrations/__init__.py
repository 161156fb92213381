"""Database migrations (Alembic), run by `xibiao migrate` and at the start of `xibiao up`."""
