"""The soak: hours of load under random faults, invariants checked every minute, memory watched.

`make soak HOURS=n` (`python -m loadtest.soak --hours n`); see docs/loadtest.md. From the bottom up:

- `plan`            how long, how much load, how often faults
- `fault_schedule`  which fault when, by a seed
- `memory_slope`    memory of processes that die and come back, as %/h with its uncertainty
- `calm`            when a fault was under way, and so what may be late
- `invariants`      what must hold of what was observed
- `transcript`      what happened, as JSON lines and as text
- `connections`     HTTP and the Handle protocol on one event loop
- `resolving`, `registering`   who asks, at a steady rate
- `load`            the load: one process for all of it
- `load_process`    that process as the run sees it
- `supervisor`      starts again what ended, as systemd does
- `faults`          does what the schedule says
- `ledger_tail`     what the load has noted since the last look
- `followed_log`    the published log, verified as it grows by code that is not the product's
- `observer`        what is seen of a site, minute by minute
- `closing`         the end: everything settles, three sides are reconciled, audits
- `run`, `__main__` all of it, and the command

Invariants: a run with the same seed has the same faults at the same times; what was acknowledged
is in the ledger, whatever died; a check that cannot be made is said, never passed over.
"""
