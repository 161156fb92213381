"""The thirteen sections of the acceptance report, each a function of the report and a language.

Tour: `claims.py` holds 0 summary, 1 project, 2 rules; `counts.py` 3 registrations, 4 resolutions;
`exchange.py` 5 synchronisation, 6 reconciliation; `evidence.py` 7 spot check, 8 availability,
10 log and verification; `safeguards.py` 9 security; `disclosures.py` 11 forms, 12 shortcomings and
excluded data; `whole.py` puts them together.
"""
