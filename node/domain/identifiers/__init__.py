"""Identifiers of every scheme that is scanned, typed or registered.

Where to look:

- anything a person or a scanner hands over            `recognise`: one function, `recognise(text)`
- what an identifier is; error codes; notes            `scheme`
- handles, and the fast `parse_handle`                 `handle`; allowed characters: `characters`
- presentations of a handle on labels                  `vaa`, `iso15434`, `resolver_url`
- Ecode, and the table of its numbering systems        `ecode`, `ecode_nsi` (+ `ecode_nsi.json`)
- object identifiers                                   `oid`, `oid_iri`
- GS1 keys, Digital Link paths, element strings        `gs1`, `gs1_elements`
- check digits and characters                          `check_character`
- how a suffix is built, checked and minted            `suffix_profile`, `ree_batch`
- serials that do not tell the output of a day         `serial_permutation`

Handles, Ecodes, OIDs and GS1 keys live in one name space: `Identifier.key`. Everything in here is
a pure function of its arguments and raises MalformedIdentifier only.
"""

from node.domain.identifiers.handle import (
    canonical_key,
    check_registrable,
    parse_handle,
    parse_prefix,
)
from node.domain.identifiers.recognise import SCHEMES, recognise, recognise_exact
from node.domain.identifiers.scheme import Identifier, Recognition, Scheme, explain_note

__all__ = [
    "SCHEMES",
    "Identifier",
    "Recognition",
    "Scheme",
    "canonical_key",
    "check_registrable",
    "explain_note",
    "parse_handle",
    "parse_prefix",
    "recognise",
    "recognise_exact",
]
