"""The soak: hours of steady load with sudden faults; invariants each minute, memory watched.

`make soak HOURS=1` (`python -m loadtest.soak --hours 1`); see docs/loadtest.md. From the bottom up:

- `faults`      what happens to the installation: deaths, pauses, wiped caches, cut connections
- `invariants`  what must hold at every moment, looked at while all of it goes on
- `__main__`    the command; a transcript of one JSON line an event

In the first half of the time every kind of fault happens; in the second only those that leave the
node's processes alive, so that their memory can be watched over a long life.
"""
