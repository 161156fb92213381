"""Counting look-ups so that anybody can count again (docs/decisions/0008-honest-counts.md).

From a noted look-up (`node.domain.resolution_event`) to a figure:

- `facts`        pseudonyms of client and identifier; near or far; role; campaign; test or not
- `rule_set`     the rules as data, with version and digest; `rules` holds the shipped versions
- `classes`      which class an event is of: standing of its client, repeats, bursts
- `period_count` the sums of a period; the same events counted again under other rules
- `journal`      every event of a statement as a line: writer and reader
- `statement`    the leaves: statement of a period, correction, change of rules
- `campaign`     load tests, declared or found: their leaf and what they select
- `moments`      times as Unix milliseconds and as text

To check a chain: for each statement and correction in the order of the log read its journal with
`JournalReader`, hold head, root and digest against the leaf, take `Recount.candidates` of the
statement for `classes.bursts`, and feed every event to `Recount.take`; the class must be the one in
the line and the sums those of the leaf.
"""
