"""10320/loc: which place is taken, and what is refused before it is understood."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidInput
from resolver.handle.locations import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_LOCATIONS,
    Circumstances,
    choose,
    join_urls,
    parse_locations,
)

THREE = """<?xml version="1.0"?>
<locations chooseby="locatt,country,weighted">
  <location id="0" href="https://uk.example/" country="gb" weight="0" />
  <location id="1" href="https://one.example/" weight="1" />
  <location id="2" href="https://two.example/" weight="1" http_sc="303" />
</locations>"""


def never() -> float:
    raise AssertionError("nothing is drawn here")


def taken(
    xml: str, *wanted: tuple[str, str], country: str = "", address: str = "", draw: float = 0.0
) -> str:
    """Return the address of the place taken, "" when there is none."""
    circumstances = Circumstances(
        wanted=wanted, country=country, address=ip_address(address) if address else None
    )
    place = choose(parse_locations(xml), circumstances, lambda: draw)
    return place.target("86.1000/A") if place else ""


def listed(*locations: str, root: str = "") -> str:
    return f"<locations {root}>{''.join(f'<location {text} />' for text in locations)}</locations>"


def test_asked_attribute_picks_its_place() -> None:
    assert taken(THREE, ("id", "0")) == "https://uk.example/"
    assert taken(THREE, ("id", "2")) == "https://two.example/"


def test_unmatched_attribute_keeps_the_former_set() -> None:
    assert taken(THREE, ("foo", "bar"), ("id", "2")) == "https://two.example/"
    assert taken(THREE, ("id", "7")) == "https://one.example/"


def test_country_narrows_when_a_place_names_it() -> None:
    assert taken(THREE, country="GB") == "https://uk.example/"
    assert taken(THREE, country="cn", draw=0.9) == "https://two.example/"


def test_weights_share_what_is_drawn_and_zero_is_never_drawn() -> None:
    random = Random(7)
    locations = parse_locations(THREE)
    drawn = Counter(
        place.attributes["id"]
        for _ in range(1000)
        if (place := choose(locations, Circumstances(), random.random))
    )
    assert set(drawn) == {"1", "2"}
    assert 400 < drawn["1"] < 600


def test_places_without_weight_leave_the_first() -> None:
    locations = parse_locations(
        listed('href="https://a/" weight="0"', 'href="https://b/" weight="0"')
    )
    place = choose(locations, Circumstances(), never)
    assert place is not None
    assert place.attributes["href"] == "https://a/"


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "x", ""])
def test_weight_that_is_no_number_counts_as_one(weight: str) -> None:
    (place,) = parse_locations(listed(f'href="https://a/" weight="{weight}"')).places
    assert place.weight == 1


def test_negative_weight_counts_as_none() -> None:
    (place,) = parse_locations(listed('href="https://a/" weight="-3"')).places
    assert place.weight == 0


@pytest.mark.parametrize(
    ("given", "status"),
    [("301", 301), ("302", 302), ("303", 303), ("307", 307), ("308", 308), ("200", 302)],
)
def test_status_is_one_of_the_redirects(given: str, status: int) -> None:
    (place,) = parse_locations(listed(f'href="https://a/" http_sc="{given}"')).places
    assert place.status == status


def test_template_takes_the_handle_in_both_encodings() -> None:
    xml = listed('href_template="https://a.example/{hdl:path}?h={hdl}"')
    assert taken(xml) == "https://a.example/86.1000/A?h=86.1000%2FA"
    (place,) = parse_locations(xml).places
    assert place.target("86.1/ä &?#") == (
        "https://a.example/86.1/%C3%A4%20&%3F%23?h=86.1%2F%C3%A4%20%26%3F%23"
    )


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.1.2.3", "https://ten/"),
        ("2001:db8::1", "https://six/"),
        ("192.0.2.1", "https://rest/"),
    ],
)
def test_address_picks_the_network_it_is_in(address: str, place: str) -> None:
    xml = listed(
        'href="https://rest/"',
        'href="https://ten/" addresses="junk, 10.0.0.0/8" weight="0"',
        'href="https://six/" addresses="192.0.2.9 2001:db8::/32" weight="0"',
        root='choose_by="address"',
    )
    assert taken(xml, address=address) == place


def test_best_score_is_kept() -> None:
    xml = listed(
        'href="https://low/" score="0.2"',
        'href="https://high/" score="0.9"',
        'href="https://none/"',
        root='chooseby="score,weighted"',
    )
    assert taken(xml) == "https://high/"


def test_methods_count_in_their_order_and_unknown_ones_are_passed_over() -> None:
    xml = listed(
        'href="https://a/" country="gb"',
        'href="https://b/" id="1"',
        root='chooseby="fancy, country ,locatt"',
    )
    assert taken(xml, ("id", "1"), country="gb") == "https://a/"


def test_urls_join_with_no_weight_and_can_be_asked_for() -> None:
    locations = join_urls(parse_locations(THREE), ["https://old.example/"])
    legacy = Circumstances(wanted=[("mode", "legacy")])
    place = choose(locations, legacy, never)
    assert place is not None
    assert place.attributes["href"] == "https://old.example/"
    drawn = choose(locations, Circumstances(), lambda: 0.999)
    assert drawn is not None
    assert drawn.attributes["id"] == "2"


@pytest.mark.parametrize("root", ['no_legacy="true"', 'no_legacy=""', 'no_legacy="1"'])
def test_urls_stay_out_when_the_list_says_so(root: str) -> None:
    locations = join_urls(parse_locations(listed('href="https://a/"', root=root)), ["https://b/"])
    assert [place.attributes["href"] for place in locations.places] == ["https://a/"]


def test_nothing_listed_takes_nothing() -> None:
    assert taken("<locations/>") == ""
    assert taken('<locations><location id="1"/></locations>') == ""


def test_only_locations_right_below_the_root_count() -> None:
    xml = (
        '<locations><x><location href="https://no/"/></x><location href="https://a/"/></locations>'
    )
    assert taken(xml) == "https://a/"


BOMB = (
    '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    '<locations><location href="&b;"/></locations>'
)


@pytest.mark.parametrize(
    "xml",
    [
        BOMB,
        '<!DOCTYPE locations SYSTEM "file:///etc/passwd"><locations/>',
        '<!DOCTYPE locations><locations><location href="https://a/"/></locations>',
        '<!DOCTYPE l [<!ENTITY x SYSTEM "http://127.0.0.1/">]><locations>&x;</locations>',
        "<locations>&undefined;</locations>",
        "",
        "text",
        "<locations>",
        "<other/>",
        "<locations/><locations/>",
        '<locations><location href="a" href="b"/></locations>',
        "<locations>\x00</locations>",
        "<locations>" + " " * MAX_BYTES + "</locations>",
        "<locations>" + "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH + "</locations>",
        listed(*['href="https://a/"'] * (MAX_LOCATIONS + 1)),
        listed(" ".join(f'a{n}=""' for n in range(MAX_ATTRIBUTES + 1))),
    ],
)
def test_hostile_xml_is_refused(xml: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_locations(xml)
    assert refused.value.code == "locations"


def test_declared_encoding_does_not_change_what_is_read() -> None:
    xml = '<?xml version="1.0" encoding="UTF-16"?><locations><location href="https://é/"/></locations>'
    assert taken(xml) == "https://é/"


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    for xml in (
        text,
        f"<locations>{text}</locations>",
        f'<locations><location a="{text}"/></locations>',
    ):
        try:
            locations = parse_locations(xml)
        except InvalidInput:
            continue
        choose(locations, Circumstances(wanted=[("id", "0")]), lambda: 0.5)


@given(
    st.lists(st.floats(allow_nan=False, min_value=0, max_value=10), min_size=1, max_size=8),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_whatever_is_drawn_is_one_of_the_places_with_weight(
    weights: list[float], draw: float
) -> None:
    xml = listed(*(f'href="https://a/" weight="{weight}"' for weight in weights))
    place = choose(parse_locations(xml), Circumstances(), lambda: draw)
    assert place is not None
    assert place.weight > 0 or not any(weights)
