"""Version 1 of the contract.

- What the secondary node serves: sessions, the log, reports, directives  `secondary_link.proto`
- What the enterprise node serves: delegated resolution and probes        `enterprise_resolution.proto`
"""
