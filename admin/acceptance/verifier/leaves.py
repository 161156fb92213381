"""The leaves of the log as values: changes by their grammar, all other kinds as JSON."""

from __future__ import annotations

import re
import sys
from typing import Any

from admin.acceptance.verifier.faults import Faults, require, strict_json
from admin.acceptance.verifier.registrations import CHANGE_KINDS, unix_ms
from admin.acceptance.verifier.statements import entry_file

# Canonical JSON has one spelling, so a leaf of version 1 can be matched as a whole. That is faster
# than reading JSON, and three hundred thousand leaves then share the words they have in common.
_CHANGE = re.compile(
    r'\{"at":"([^"]{24})","class":"([a-z0-9_]{1,32})"'
    r',"commitment":"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"'
    r',"id_tag":"([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"'
    r',"kind":"([a-z_]{1,32})","rev":([1-9][0-9]{0,15}),"source":"([a-z0-9_]{1,32})"'
    r',"test":(true|false),"v":1\}'
)


def read_leaves(entries: list[bytes], faults: Faults) -> list[dict[str, Any]]:
    """Return every leaf by the keys of its JSON, and `at_ms`, its time; raises Broken."""
    leaves: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        if not index % 256:
            faults.reading = entry_file(index)
        match = _CHANGE.fullmatch(entry.decode("utf-8", "replace"))
        if match is None:
            leaf = strict_json(entry, faults.reading)
            good = isinstance(leaf["kind"], str) and leaf["kind"] not in CHANGE_KINDS
            require(good, faults.reading, f"条目 {index} 有误", f"leaf {index} is malformed")
        else:
            at, object_class, commitment, tag, kind, revision, source, test = match.groups()
            known = kind in CHANGE_KINDS
            require(known, faults.reading, f"条目 {index} 有误", f"leaf {index} is malformed")
            leaf = {
                "at": at,
                "class": sys.intern(object_class),
                "commitment": commitment,
                "id_tag": tag,
                "kind": sys.intern(kind),
                "rev": int(revision),
                "source": sys.intern(source),
                "test": test == "true",
            }
        leaf["at_ms"] = unix_ms(leaf["at"])
        leaves.append(leaf)
    return leaves
