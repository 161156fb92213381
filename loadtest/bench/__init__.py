"""Benches P1 to P13: the product beside a ceiling, interleaved, on the same machine.

Absolute figures move with the machine and with what else runs on it, so every bench gives the
ratio to a ceiling that was measured in the same minutes. From the bottom up:

- `processes`     pinning to a core, processor time, programs run to their end
- `servers`       an nginx and a PostgreSQL cluster of a bench's own; Redis: `tests.redis_process`
- `wrk`           HTTP load, and how its report is read
- `ceilings`      the ceilings: nginx static file, `psql` copy, pgbench
- `harness`       what a bench is; rounds, medians, spread, ratio, table, record
- `batches`, `nodes`, `bulk_client`, `http_look_ups`   what is registered, node processes, clients
- `handle_messages`, `handle_look_ups`, `handle_load.c`   resolutions over the Handle protocol
- `udp_fixed_answer.c`, `tcp_fixed_answer`   the ceilings of those
- `registration_statement`, `registered_data`   the product's statement; registers already full
- `peer_server`, `peer_handle`   the official Handle server, when one is installed
- `p01_….py` …    one module for each bench, which exposes `BENCH`
- `__main__`      `python -m loadtest.bench P1 P6`, all benches without names

Records are appended to `results/<date>.json`, one JSON object a line. No bench is a timed test:
none fails when a figure is missed, and none runs with the tests.
"""
