"""Locust suites that verify: what they register they look up, and every answer is judged.

`locust -f loadtest/suites/locustfile.py` with a person at Locust's page, `--headless` with goals
and an exit status; `day.py` instead adds the profile of a day. See docs/loadtest.md. From the
bottom up:

- `power_law`          which record is asked for: few often, most hardly ever
- `plant_data`         rows and files to register, from the demonstration generator
- `shown_answer`       what JSON, page and Handle messages show, read by code of our own
- `record_book`        what was registered and changed, and so which answers are right
- `load_run`           one process's part of a run: rows to take, counts, ledger, seconds
- `registrations`      what is asked for and noted; `look_ups`: what is asked and judged
- `goals`              when a run is over, and how it ended
- `options`            the options that Locust's command line and page have besides its own
- `api_requests`       requests to the register, asked again until they are acknowledged
- `registering_users`  single, batch and file registrations; changes, suspensions, resumptions
- `handle_sockets`     the Handle protocol over gevent's sockets
- `resolving_users`    look-ups over HTTP, by page, over Handle UDP and TCP
- `day_profile`        how many users there are at each moment of a day
- `locustfile`, `day`  what Locust is given

Invariants: what is acknowledged is in the ledger (`loadtest.ledger`) before it is looked up; a
wrong answer is a failure in Locust's statistics, a `fault` in the ledger and makes the run end
with status 1. Only the last six import Locust, which patches the sockets of its process.
"""
