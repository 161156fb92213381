"""Every face is rendered from the public view alone, and they agree."""

from __future__ import annotations

import dataclasses

import msgspec

from node.domain.disclosure import PublicView, WithheldValue
from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle.values import decode_values
from resolver.rendering import resolution_of
from tests.unit.resolver.fakes import disclosed, stored

KEY = "88.888.1501/A"


def view(*values: HandleValue, withheld: tuple[WithheldValue, ...] = ()) -> PublicView:
    return dataclasses.replace(disclosed(stored(KEY)), values=values, withheld=withheld)


def test_the_wire_form_holds_the_values_that_the_json_shows() -> None:
    values = (
        HandleValue(1, "URL", b"https://a.cn", timestamp=1_577_836_800),
        HandleValue(
            7,
            "EMAIL",
            b"a@b.cn",
            ttl=1_577_836_800,
            is_ttl_absolute=True,
            references=(HandleReference("86.1/B", 3),),
        ),
    )
    resolution = resolution_of(view(*values))
    assert decode_values(resolution.wire) == values
    shown = msgspec.json.decode(resolution.handle)["values"]
    assert [value["index"] for value in shown] == [1, 7]
    assert (shown[0]["ttl"], shown[1]["ttl"]) == (86_400, "2020-01-01T00:00:00Z")
    assert shown[1]["references"] == [{"handle": "86.1/B", "index": 3}]
    assert "references" not in shown[0]


def test_of_withheld_values_only_place_type_and_permissions_are_told() -> None:
    resolution = resolution_of(view(withheld=(WithheldValue(300, "HS_SECKEY", 0x0C),)))
    assert resolution.withheld == ((300, "HS_SECKEY", 0x0C),)
    assert resolution.wire == bytes(4)


def test_links_of_answers_begin_with_the_public_address() -> None:
    resolution = resolution_of(view(), "https://id.example.cn")
    assert b'"proof":"https://id.example.cn/log/proof/' in resolution.scan
    assert resolution.entity_tag != resolution_of(view()).entity_tag
