"""The papers of the acceptance bundle, all made of one report: nothing is counted here.

Tour: `sections/` turns a report into a `paper.py` in Chinese or English: numbers through
`notation.py`, keys through `names.py`, charts through `figures.py` → `charts.py` → `svg.py`.
`report_page.py` sets the two papers as one HTML file; `typesetting.py` sets each as PDF with typst
in a process of its own. `form_rows.py` fills the rows of 附件9 as `form_rows.json` says and
`form_texts.py` the texts of 附件10; `entries.py` names what a person may enter for them.
`indicators_form.py` and `application_form.py` write these two forms with `word_file.py`;
`workbook.py` writes the data as XLSX. `write.py` writes them all, and `arithmetic.py` first checks
that the report's sums close.
"""
