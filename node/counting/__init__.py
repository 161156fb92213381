"""Counting look-ups: from what resolvers noted to statements in the log (0008 in docs/decisions).

- `tally_folder`     spools and journals on the disk
- `unsealed_events`  what waits in the spools: of which period, late or not, in which order
- `observer`         noted look-ups as facts and standing
- `circumstances`    what else is known: roles of keys, test prefixes, campaigns
- `period_journal`   a period's events classified and written: two passes
- `sealing`          one seal: corrections, then the statement
- `sealer`           when to seal: at the hour, early, late; deleting what is sealed
- `chain`            the one transaction that moves the chain; `state_seal`: against edits
- `collector`, `live_totals`   what is durable and not sealed yet
- `tallying`         the role: all of it, for ever
- `campaigns`        load tests declared and found
- `overview`         figures for status; `evidence`: everything read back, for reports and audits
- `window_key`       the key of pseudonyms

One period, in seven steps: `Tallying.round` finds the hour over; `Sealer.seal_due` reads where the
chain ends; `Unsealed.extent` looks through the spools; `Sealing` finds bursts and drafts journals
(`write_draft`), late events first; `Chain.commit` locks the chain, appends leaves to `change`,
moves positions and names the journals, all in one transaction; the sequencer numbers the leaves
like any change; `delete_sealed_spools` deletes spools that nobody needs.
"""
