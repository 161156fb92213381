"""Every setting of a node: typed, documented, refused before the first socket opens.

- What can be set, in which unit, with which default?            `node.config.settings`
- How do file, environment and command line become one value?    `node.config.loading`
- How is "250ms" or "256MiB" read and written?                   `node.config.quantity`
- How does a URL with a password stay out of print?              `node.config.secret_url`

`load` is the only reader of the configuration file and of `XIBIAO_…` variables; everything else is
handed the part of `Config` it needs.
"""

from node.config.loading import load, redacted
from node.config.quantity import Duration, Size
from node.config.secret_url import SecretURL
from node.config.settings import (
    HTTP,
    HTTPS,
    ROLES,
    Config,
    Database,
    Handle,
    Import,
    Log,
    Logging,
    Lookup,
    MaxBody,
    Proxy,
    Redis,
    Registration,
    Role,
    Sequencer,
    Shutdown,
    Snms,
    Sync,
    Tally,
)

__all__ = [
    "HTTP",
    "HTTPS",
    "ROLES",
    "Config",
    "Database",
    "Duration",
    "Handle",
    "Import",
    "Log",
    "Logging",
    "Lookup",
    "MaxBody",
    "Proxy",
    "Redis",
    "Registration",
    "Role",
    "SecretURL",
    "Sequencer",
    "Shutdown",
    "Size",
    "Snms",
    "Sync",
    "Tally",
    "load",
    "redacted",
]
