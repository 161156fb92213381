"""The acceptance run: a whole installation, counted registrations and resolutions, reconciled.

`make acceptance` (`python -m loadtest.acceptance`) for the full size, `make acceptance-smoke` for
a small one. From the bottom up:

- `plan`             how much is done and what must be reached
- `commands`         the product's command line, run to its end
- `link_files`       an authority and the certificates of the link
- `production_site`  PostgreSQL, Redis, one process for each role, the secondary node
- `load_process`     Locust as a process of its own
- `sampling`         memory of every process, second by second
- `timeline`         rate, latency, errors and lag of every second, from what the run wrote down
- `campaign`         the load test declared beforehand; what is claimed stays untouched by it
- `bundle`           the evidence bundle, verified by the program in it
- `run`              the steps of a run, and what each of them found
- `charts`, `report_page`   the report for people
- `__main__`         the command

Invariants: every step says what it found, and a step that fails makes the run fail, not stop;
everything the run started ends with it; what it wrote stays in its directory.
"""
