"""The command line `xibiao`, one module per group of commands.

- Which commands are there, and where do failures end?      `admin.cli.program`
- How does a failure read, and which exit code is it?       `admin.cli.failures`
- What do commands take from the outside world?             `admin.cli.surroundings`
- Options that several commands share                       `admin.cli.options`
- Talking to a node over HTTP                               `admin.cli.client`
- Commands against a node                                   `import_file`, `resolve`, `status`
- How far an import is, on a terminal                       `import_progress`
- Does a receipt prove what the node says?                  `receipt`
- Commands on a data directory                              `up`, `migrate`, `audit`, `key`,
                                                            `prefix`, `prefix_administrator`,
                                                            `check_config`

Reports go to standard output, progress and complaints to standard error. Every command returns its
exit code: 0 fine, 1 a negative finding (not found, rows refused, differences), 2 an error.
"""
