"""The acceptance bundle: figures recomputed from the log, the papers, and a verifier for anybody.

Tour: `project.py` reads the project file (names, dates, thresholds, auditor's key). `evidence.py`
reads log, journals, openings and the secondary node's receipt; `registration_figures.py`,
`resolution_figures.py` and `sync_figures.py` count them; `assemble.py` makes the `report.py` model
of it: the one place where a number that any paper shows can come from. `bundle.py` writes the
bundle, `sampling.py` draws the spot check. `verifier/` holds the parts of the single file
`verify.py` that goes into each bundle: it is written from the formats alone and shares no code with
the node, so that one mistake cannot be made twice.
"""
