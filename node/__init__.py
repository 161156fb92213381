"""The register: rules, storage, registration and its HTTP API.

Which module to open for which question:

- What is an identifier, a record, a template, a log entry, a proof?      `node.domain`
- Which errors exist, and what do they mean?                             `node.errors`
- What can be configured?  What is measured?      `node.config`, `node.telemetry`
- What does the database look like; which SQL runs?                      `node.storage`
- What happens when something is registered, changed or sequenced?      `node.registration`
- How does a file become registrations?                                  `node.importing`
- What does the HTTP API accept and answer?                              `node.api`

Nothing in here knows that a resolver, a secondary node or a console exists: they follow the log.
"""
