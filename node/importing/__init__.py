"""Reading bulk files: from whatever people upload to rows that may be registered.

- `limits`, `table_shape`, `table_reader`   open a file, know its columns, hand out chunks
- `encoding`, `dialect`, `header_aliases`   how its bytes, fields and titles are meant
- `csv_reader`, `xlsx_package`, `xlsx_reader`, `ndjson_reader`   one format each
- `chunk_rows`            a chunk's bytes to rows of text, with what was wrong in them
- `cell_repair`           one cell: numbers, dates, full-width forms, invisible characters
- `identifier_repair`     one identifier: slips that can be undone without a guess
- `name_repair`           product and party names: aliases, mojibake, line breaks
- `column_repair`, `row_notes`   one column of a chunk, and the findings collected on the way
- `row_checks`            the figures of one row against each other
- `chunk_analysis`        all of the above for one chunk, by column; runs in a process pool
- `column_evidence`       what only the whole file can tell
- `genealogy`, `duplicates`, `file_review`   rows against each other and against the register
- `fact_columns`          the facts of all lots of a file in little memory
- `findings`, `finding_texts`   what was noticed, what follows, and the sentences shown
- `result_file`           the same file back with 状态, 原因, 建议
- `prepare`, `worker_processes`   admit and seal a chunk's rows; the processes that do it
- `draft_spool`           the rows on disk between the two passes
- `job`                   a job as its owner sees it: upload, follow, pause, resume, confirm
- `importer`, `job_run`   the loop that runs jobs, and one run of one job
- `job_state`, `job_files`, `row_outcomes`   what is kept of a job: state, files, counts

Only `job`, `importer` and `job_run` know the database; all else is pure or reads one file.
"""
