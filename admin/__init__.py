"""The top of the product: composition root, command line, audit. It may see everything below.

- `__main__`, `cli`      the `xibiao` command
- `launch`               builds every object of a node process and runs its roles
- `listening`, `https_listening`, `https_certificate`, `handle_listening`  the faces' sockets
- `handle_parts`, `handle_service`, `handle_over_http`  the Handle faces, built and joined
- `schema_upgrade`       brings the database schema to the newest version
- `first_start`          what an empty register needs: templates, prefixes, the first key
- `log_audit`            recomputes everything from the log and names every difference
- `demo_batches`         realistic rare-earth batches, for demonstrations and tests
"""
