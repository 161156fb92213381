"""The secondary node's own SQLite file: the only place of `sync` with SQL.

- How is the file opened, and what does a version mean?          `connection`, `schema`
- How are many rows written or read at once?                     `bulk`
- Who may touch it, and from where?                              `thread`
- Nodes, prefixes, what one of them may do                       `node_rows`
- Leaves, tree, cosignatures, receipts                           `log_rows`
- Records, and changes that were not applied                     `record_rows`
- Templates, routes, profiles, reports, events                   `document_rows`
- Orders to nodes and their answers                              `directive_rows`
- What came over the SNMS interface, without leaves              `snms_rows`
- Going back to an earlier state                                 `rewind`

One thread writes; readers have connections of their own and see the last commit. Functions take
the connection first and never commit: `connection.transaction` does.
"""
