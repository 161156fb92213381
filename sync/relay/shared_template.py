"""A template as the secondary node may know it: the attributes that leave the plant, no others."""

from __future__ import annotations

import msgspec

from node.domain.template import Template, encode_template


def shared_body(template: Template) -> bytes:
    """Return the canonical JSON of a template without the attributes that stay in the plant."""
    leaving = tuple(a for a in template.attributes if a.leaves_plant)
    return encode_template(msgspec.structs.replace(template, attributes=leaving))
