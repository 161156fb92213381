"""The parts of `verify.py`, the single file with which anybody checks a bundle.

Written from the formats alone (docs/decisions/0008-honest-counts.md, docs/acceptance.md, RFC 6962,
RFC 8032, RFC 9180, C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles and tlog-policy)
with Python's standard library from version 3.9 on: no part imports the node, so a fault shared by
the node's writer and reader cannot hide from it. `single_file.py` beside this package joins the
parts in the order of `PARTS`; names must therefore be unique among all of them.

Order of checks: files against the manifest; notes and checkpoint; entries, tiles and root; receipt;
statements, journals and campaigns; registrations; synchronisation; the report; on request what only
the auditor can check, with the openings.
"""

PARTS = (
    "faults",
    "bundle_files",
    "ed25519",
    "sm3",
    "notes",
    "log_tree",
    "receipts",
    "counting_rules",
    "statements",
    "leaves",
    "lookup_counts",
    "registrations",
    "synchronisation",
    "report_check",
    "sample_check",
    "openings",
    "program",
)
