"""The conformance list of the identifier schemes, line by line.

Sources of the vectors: GB/T 31866-2023 samples in a public textbook (EC-01), ANSI MH10.8.2 data
identifier table (VA-02, VA-03), ITU-T X.690 encodings (OI-17, OI-18), GS1 Barcode Syntax
Dictionary (GS-10), GS1 Digital Link samples; lines without a published sample are constructed.
Ids are those of the project's conformance list.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.domain.identifiers import (
    ecode,
    gs1,
    gs1_elements,
    handle,
    iso15434,
    oid,
    recognise,
    vaa,
)
from node.domain.identifiers.ecode_nsi import read_table
from node.domain.identifiers.scheme import CODES, Identifier
from node.domain.identifiers.suffix_profile import PROFILES
from node.errors import InvalidInput, MalformedIdentifier

BIG_ARC = "1.2.156.340282366920938463463374607431768211456"
VA_03 = "15NVAA0881000000000112334Diat*C-DE!(8765)jiuY/L23+a!h"
CA_01 = "[)>\x1e06\x1d15NVAA08810012345678ABC\x1d1TL1\x1e\x04"


def refusal(read: Callable[[str], object], text: str) -> MalformedIdentifier:
    with pytest.raises(MalformedIdentifier) as caught:
        read(text)
    error = caught.value
    assert error.code in CODES
    assert error.zh
    assert error.en
    assert [problem.code for problem in error.problems] == [error.code]
    return error


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("000016901234567892", ("0", "0001", "6901234567892"), id="EC-01"),
        pytest.param(
            "1009612345678901234567890", ("1", "0096", "12345678901234567890"), id="EC-03"
        ),
        pytest.param("1006412345678901234567", ("1", "0064", "12345678901234567"), id="EC-05"),
        pytest.param("20128" + "1" * 28, ("2", "0128", "1" * 28), id="EC-06"),
        pytest.param("300121ABCabc123", ("3", "00121", "ABCabc123"), id="EC-08"),
        pytest.param("400001稀土-01", ("4", "00001", "稀土-01"), id="EC-11"),
        pytest.param(" 1009612345 ", ("1", "0096", "12345"), id="EC-17"),
        pytest.param(
            "https://www.iotroot.com/E=1009612345678901234567890",
            ("1", "0096", "12345678901234567890"),
            id="EC-21",
        ),
        pytest.param("http://t.example.cn/p?E=1009612345&x=1", ("1", "0096", "12345"), id="EC-22"),
        pytest.param(
            "https://www.iotroot.com/E=4000%30%31%E7%A8%80", ("4", "00001", "稀"), id="EC-24"
        ),
        pytest.param("1999912345", ("1", "9999", "12345"), id="EC-25"),
    ],
)
def test_legal_ecode_is_split_into_its_parts(text: str, parts: tuple[str, str, str]) -> None:
    code = ecode.split(text)
    assert (code.version, code.nsi, code.md) == parts
    assert ecode.parse(text).key == f"ecode:{''.join(parts)}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("000016901234567890", "check", id="EC-02"),
        pytest.param("10096123456789012345678901", "length", id="EC-04"),
        pytest.param("20128" + "1" * 29, "length", id="EC-07"),
        pytest.param("300121", "empty", id="EC-09"),
        pytest.param("300121" + "1234567890" * 4, "length", id="EC-10"),
        pytest.param("0000112345", "length", id="gtin-of-5-digits"),
        pytest.param("50001123", "version", id="EC-12"),
        pytest.param("A0001123", "version", id="EC-13"),
        pytest.param("1A064123", "nsi", id="EC-14"),
        pytest.param("10064", "empty", id="EC-15"),
        pytest.param("", "empty", id="EC-16"),
        pytest.param("10096 12345", "charset", id="EC-18"),
        pytest.param("１００９６１２３", "charset", id="EC-19"),
        pytest.param("10096-12345", "charset", id="EC-20"),
        pytest.param("https://www.iotroot.com/e/1", "not-ecode-url", id="EC-23"),
        pytest.param("https://www.iotroot.com/E=4000%30%31%FF", "charset", id="not-utf8"),
    ],
)
def test_broken_ecode_is_refused(text: str, code: str) -> None:
    assert refusal(ecode.parse, text).code == code


def test_long_code_of_a_size_class_is_noticed_EC_05() -> None:
    assert ecode.notices(ecode.split("1006412345678901234567")) == ("size-class",)
    assert ecode.notices(ecode.split("1009612345678901234567890")) == ()


def test_unknown_numbering_system_is_read_but_not_minted_EC_25_EC_26() -> None:
    assert ecode.notices(ecode.split("1999912345")) == ("nsi-unknown",)
    with pytest.raises(MalformedIdentifier) as caught:
        ecode.mint("1", "9999", md="12345")
    assert caught.value.code == "nsi-unregistered"


def test_known_numbering_system_is_minted_only_by_its_rule() -> None:
    assert ecode.mint("0", "0001", md="6901234567892").text == "000016901234567892"
    with pytest.raises(MalformedIdentifier) as caught:
        ecode.mint("0", "0001", md="6901234567890")
    assert caught.value.code == "check"
    # 3/00121 has evidence for reading, but its owner is unknown: nobody may issue it here.
    with pytest.raises(MalformedIdentifier) as caught:
        ecode.mint("3", "00121", md="ABC")
    assert caught.value.code == "nsi-unregistered"


@pytest.mark.parametrize(("digits", "md"), [(13, "6901234567892"), (14, "06901234567892")])
def test_gs1_128_symbol_gives_back_version_0_EC_27(digits: int, md: str) -> None:
    found, _ = gs1_elements.parse_elements("(01)06901234567892")
    code = ecode.from_gtin(gs1.gtin(found), digits=digits)
    assert (code.version, code.nsi, code.md) == ("0", "0001", md)


@pytest.mark.parametrize(
    "text",
    [
        "000016901234567892",
        "1009612345678901234567890",
        "20128" + "1" * 28,
        "300121ABCabc123",
        "400001稀土-01",
    ],
)
def test_display_returns_the_ecode_that_was_read_EC_31(text: str) -> None:
    assert ecode.display(ecode.parse(text)) == text


def test_master_data_must_follow_the_rule_of_its_system() -> None:
    table = read_table(b"""{"about": "", "rows": [{"v": "3", "nsi": "00001", "scheme": "own",
        "zh": "", "en": "", "md": "[A-Z]{3}", "source": "test", "mintable": true}]}""")
    assert ecode.mint("3", "00001", md="ABC", table=table).text == "300001ABC"
    with pytest.raises(MalformedIdentifier) as caught:
        ecode.mint("3", "00001", md="ABCD", table=table)
    assert caught.value.code == "policy"


def test_damaged_table_of_numbering_systems_is_refused() -> None:
    with pytest.raises(InvalidInput):
        read_table(b'{"about": "", "rows": [{"v": 3}]}')


def test_binary_version_0_of_2015_round_trips() -> None:
    code = ecode.BinaryV0(nsi=0x12, md=(1 << 243) + 7)
    assert ecode.BinaryV0.decode(code.encode()) == code
    for data, why in ((b"\x00" * 31, "length"), (b"\x10" + b"\x00" * 31, "version")):
        with pytest.raises(MalformedIdentifier) as caught:
            ecode.BinaryV0.decode(data)
        assert caught.value.code == why


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("1.2.156.9999.100.1", "oid:1.2.156.9999.100.1", id="OI-01"),
        pytest.param("2.16.156.101818.102.1", "oid:2.16.156.101818.102.1", id="OI-02"),
        pytest.param("2.999", "oid:2.999", id="OI-03"),
        pytest.param("0.39", "oid:0.39", id="OI-04"),
        pytest.param("urn:oid:1.2.156.9999", "oid:1.2.156.9999", id="OI-11"),
        pytest.param(BIG_ARC, f"oid:{BIG_ARC}", id="OI-14"),
        pytest.param("/ISO/Member-Body/156/9999", "oid:1.2.156.9999", id="iri-known-labels"),
    ],
)
def test_legal_oid_has_one_dotted_key(text: str, key: str) -> None:
    assert oid.parse(text).key == key


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("1.40.1", "second-arc", id="OI-05"),
        pytest.param("3.1.2", "root-arc", id="OI-06"),
        pytest.param("1", "too-short", id="OI-07"),
        pytest.param("1..2", "empty-arc", id="OI-08"),
        pytest.param("1.2.156.", "empty-arc", id="OI-09"),
        pytest.param("1.2.156.3001.0501.1001.01", "leading-zero", id="OI-10"),
        pytest.param("1.2.156.-1", "charset", id="OI-12"),
        pytest.param("1.2.156.１", "charset", id="full-width"),
        pytest.param("2." + "1" * 254, "length", id="over-255"),
        pytest.param("", "empty", id="empty"),
        pytest.param("/2/-abc", "label", id="OI-29"),
        pytest.param("/2/abc-", "label", id="iri-trailing-hyphen"),
        pytest.param("/2/ab--c", "label", id="iri-hyphens-3-and-4"),
        pytest.param("/2/xn--abc!", "label", id="iri-bad-a-label"),
        pytest.param("/2/" + "土" * 22, "label", id="iri-66-bytes"),
        pytest.param("/2/a_b", "label", id="iri-underscore"),
        pytest.param("/2/xn--abc-", "label", id="iri-a-label-of-ascii"),
        pytest.param("/2//x", "label", id="iri-empty-label"),
        pytest.param("/2/中国/01", "label", id="iri-leading-zero"),
    ],
)
def test_broken_oid_is_refused(text: str, code: str) -> None:
    assert refusal(oid.parse, text).code == code


def test_import_mode_removes_leading_zeros_and_says_so_OI_10() -> None:
    found, notices = oid.parse_imported("1.2.156.3001.0501.1001.01")
    assert found.key == "oid:1.2.156.3001.501.1001.1"
    assert notices == ("leading-zero:0501", "leading-zero:01")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("1.2.156." + "1" * 93, "length", id="OI-13"),
        pytest.param("1.2.156.0.1", "policy", id="zero-arc"),
    ],
)
def test_chinese_registry_policy_refuses(text: str, code: str) -> None:
    identifier = oid.parse(text)
    with pytest.raises(MalformedIdentifier) as caught:
        oid.check_chinese_policy(identifier)
    assert caught.value.code == code


def test_oid_iri_without_numbers_has_no_der_form() -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        oid.encode_der(oid.parse("/2/中国"))
    assert caught.value.code == "not-expressible"


def test_chinese_registry_policy_admits_100_bytes() -> None:
    oid.check_chinese_policy(oid.parse("1.2.156." + "1" * 92))


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        pytest.param("1.2.156.9999.100.1", "06072a811cce0f6401", id="OI-17"),
        pytest.param("2.16.156.101818.102.1", "060860811c869b3a6601", id="OI-18"),
        pytest.param("2.999", "06028837", id="X.690-8.19.5"),
    ],
)
def test_oid_has_its_der_octets(text: str, octets: str) -> None:
    assert oid.encode_der(oid.parse(text)).hex() == octets
    assert oid.decode_der(bytes.fromhex(octets)) == oid.parse(text)


@pytest.mark.parametrize(
    "octets",
    ["", "06", "0600", "060188", "0602882a00", "0603802a01", "05012a", "06022a", "06812a81"],
)
def test_bytes_that_are_no_der_oid_are_refused(octets: str) -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        oid.decode_der(bytes.fromhex(octets))
    assert caught.value.code == "der"


def test_u_label_and_its_a_label_are_equal_OI_30() -> None:
    a_label = "xn--" + "中国".encode("punycode").decode()
    assert oid.parse(f"/2/{a_label}") == oid.parse("/2/中国")


@pytest.mark.parametrize(
    ("text", "dotted"),
    [
        pytest.param("VAA08810012345678/abc123", "88.100.12345678/abc123", id="VA-01,VA-14"),
        pytest.param("15NVAA08810000000001123Ab.098", "88.100.00000001/123Ab.098", id="VA-02"),
        pytest.param(VA_03, "88.100.00000001/12334Diat*C-DE!(8765)jiuY/L23+a!h", id="VA-03"),
        pytest.param("VAA08810012345678/a/b", "88.100.12345678/a/b", id="VA-13"),
    ],
)
def test_vaa_code_is_a_handle(text: str, dotted: str) -> None:
    assert vaa.parse_exact(text).key == dotted
    folded = vaa.parse(text)
    assert folded.key == dotted.upper()
    assert folded == handle.parse_handle(dotted)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(VA_03 + "x", "length", id="VA-04"),
        pytest.param("VAA08810012345678", "empty", id="VA-05"),
        pytest.param("VAA08810012345678/", "empty", id="VA-06"),
        pytest.param("VAA0881001234567/abc", "cin", id="VA-07"),
        pytest.param("VAA088100123456789/", "ambiguous", id="VA-08"),
        pytest.param("vaa08810012345678/abc", "iac", id="VA-09"),
        pytest.param("VAA08810012345678/a b", "charset", id="VA-10"),
        pytest.param("VAA08810012345678/稀土", "charset", id="VA-11"),
        pytest.param("VAA08810012345678/a_b", "charset", id="VA-12"),
        pytest.param("VAA088", "cin", id="cut-off"),
        pytest.param("VAA08810", "cin", id="cut-off-later"),
        pytest.param("VAA0881001234567", "cin", id="seven-digits"),
        pytest.param("VAA15610012345678/a", "prefix", id="foreign-top-tier"),
        pytest.param("15NVAA08810012345678/a", "ambiguous", id="carrier-slash"),
    ],
)
def test_broken_vaa_code_is_refused(text: str, code: str) -> None:
    assert refusal(vaa.parse, text).code == code
    assert refusal(recognise, text).code == code


def test_handle_is_written_for_label_and_bar_code_VA_15() -> None:
    identifier = handle.parse_exact("88.100.12345678/abc123")
    assert vaa.carrier(identifier) == "15NVAA08810012345678abc123"
    assert vaa.printed(identifier) == "VAA08810012345678/abc123"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("88.100.1234567/abc", "not-expressible", id="VA-16"),
        pytest.param("88.100.12345678/稀土1", "not-expressible", id="VA-17"),
        pytest.param("88.100.12345678//a", "policy", id="VA-18"),
        pytest.param("88.100.12345678/" + "A" * 34, "not-expressible", id="too-long"),
    ],
)
def test_handle_that_is_no_vaa_code_is_refused(text: str, code: str) -> None:
    identifier = handle.parse_exact(text)
    for present in (vaa.carrier, vaa.printed):
        with pytest.raises(MalformedIdentifier) as caught:
            present(identifier)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "prefix", "suffix"),
    [
        pytest.param("88.100.12345678/a/b c", "88.100.12345678", "A/B C", id="HD-01"),
        pytest.param("86.1000.1/REO-1", "86.1000.1", "REO-1", id="HD-02"),
        pytest.param("0.na/88.888.1502", "0.NA", "88.888.1502", id="prefix-handle"),
        pytest.param("11.test/É", "11.TEST", "É", id="only-ascii-folds"),
    ],
)
def test_handle_has_prefix_and_folded_suffix(text: str, prefix: str, suffix: str) -> None:
    expected = Identifier("handle", f"{prefix}/{suffix}", prefix, suffix)
    assert handle.parse_handle(text) == expected
    assert recognise(text).identifier == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("88/abc", "prefix", id="HD-03"),
        pytest.param("88.100.12345678/", "suffix", id="HD-04"),
        pytest.param("88..1/x", "prefix", id="empty-segment"),
        pytest.param("/x", "prefix", id="no-prefix"),
        pytest.param("88.1.1/" + "A" * 2042, "length", id="2049-bytes"),
        pytest.param("88.1.1/" + "土" * 700, "length", id="over-2048-bytes-in-utf8"),
        pytest.param(f"88.{'1' * 62}/A", "prefix", id="prefix-over-64"),
    ],
)
def test_broken_handle_is_refused(text: str, code: str) -> None:
    assert refusal(handle.parse_handle, text).code == code


def test_suffixes_that_differ_in_case_are_one_identifier_HD_06() -> None:
    assert handle.parse_handle("88.100.12345678/ABC") == handle.parse_handle("88.100.12345678/abc")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        pytest.param("/01/6901234567892", "gs1:/01/06901234567892", id="GS-03"),
        pytest.param(
            "/01/09520123456788/22/2A/10/ABC123/21/12345XYZ",
            "gs1:/01/09520123456788/22/2A/10/ABC123/21/12345XYZ",
            id="GS-04",
        ),
        pytest.param("/01/09520123456788/235/T1", "gs1:/01/09520123456788/235/T1", id="GS-07"),
        pytest.param("/00/106141411234567897", "gs1:/00/106141411234567897", id="GS-08"),
        pytest.param(
            "/8013/1987654Ad4X4bL5ttr2310c2K", "gs1:/8013/1987654Ad4X4bL5ttr2310c2K", id="GS-10"
        ),
        pytest.param(
            "/01/09520123456788/10/AB%2FC", "gs1:/01/09520123456788/10/AB%2FC", id="GS-12"
        ),
        pytest.param("/01/09520123456788/", "gs1:/01/09520123456788", id="GS-15"),
    ],
)
def test_digital_link_path_has_one_key(path: str, key: str) -> None:
    assert gs1.parse(path).key == key
    assert recognise(path).identifier.key == key
    assert recognise(f"https://id.example.cn/stem{path}?linkType=all").identifier.key == key


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/01/09520123456780", "check", id="GS-02"),
        pytest.param("/01/09520123456788/21/1/10/A", "order", id="GS-05"),
        pytest.param("/01/09520123456788/10/A/235/T", "order", id="GS-06"),
        pytest.param("/00/106141411234567890", "check", id="GS-09"),
        pytest.param("/8013/1987654Ad4X4bL5ttr2310cXK", "check", id="GS-11"),
        pytest.param("/01/09520123456788/10/ABCDEFGHIJKLMNOPQRSTU", "format", id="GS-13"),
        pytest.param("/415/9520123456788", "qualifier", id="GS-14"),
        pytest.param("/415/9520123456780", "check", id="GS-14-check-first"),
        pytest.param("/01/09520123456788/10/A/10/B", "order", id="qualifier-twice"),
        pytest.param("/01/09520123456788/10/%FF", "charset", id="not-utf8"),
        pytest.param("/01", "unknown", id="no-value"),
        pytest.param("/99/x", "unknown", id="no-key"),
    ],
)
def test_broken_digital_link_path_is_refused(path: str, code: str) -> None:
    assert refusal(gs1.parse, path).code == code


def test_15434_message_gives_its_elements_CA_01() -> None:
    message = iso15434.parse_message(CA_01)
    assert [(e.identifier, e.value) for e in message.elements] == [
        ("15N", "VAA08810012345678ABC"),
        ("1T", "L1"),
    ]
    found = recognise(CA_01)
    assert found.identifier.key == "88.100.12345678/ABC"
    assert (found.carrier, found.notes) == ("15434", ("elements:1T",))


@pytest.mark.parametrize("cut", [1, 2])
def test_missing_end_of_message_is_accepted_with_a_note_CA_02(cut: int) -> None:
    found = recognise(CA_01[:-cut])
    assert found.identifier.key == "88.100.12345678/ABC"
    assert "missing-eot" in found.notes


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("[)>\x1e06\x1d\x1e\x04", "empty", id="CA-03"),
        pytest.param("[)>\x1e07\x1dx\x1e\x04", "format", id="CA-04"),
        pytest.param("[)>06", "format", id="no-separator"),
        pytest.param("[)>\x1e\x04", "empty", id="no-envelope"),
        pytest.param("[)>\x1e06\x1d1TL1\x04", "format", id="no-record-end"),
        pytest.param("[)>\x1e06\x1d1TL1\x1e\x04x", "format", id="text-after-eot"),
        pytest.param("[)>\x1e06\x1d土\x1e\x04", "format", id="no-data-identifier"),
        pytest.param("[)>\x1e06\x1d1TL1\x1e\x04", "no-identifier", id="nothing-identifies"),
    ],
)
def test_broken_15434_message_is_refused(text: str, code: str) -> None:
    assert refusal(recognise, text).code == code


def test_both_formats_of_one_message_are_read_CA_05() -> None:
    text = "[)>\x1e05\x1d0109520123456788\x1d10A\x1e06\x1d1TL1\x1e\x04"
    message = iso15434.parse_message(text)
    assert message.gs1 == ("0109520123456788\x1d10A",)
    assert [e.identifier for e in message.elements] == ["1T"]
    assert recognise(text).identifier.key == "gs1:/01/09520123456788/10/A"


@pytest.mark.parametrize(
    "shown",
    [("{RS}", "{GS}", "{EOT}"), ("^^", "^]", "^D"), ("␞", "␝", "␄"), ("<RS>", "<GS>", "<EOT>")],
)
def test_visible_control_characters_read_alike_CA_06(shown: tuple[str, str, str]) -> None:
    text = CA_01
    for control, visible in zip("\x1e\x1d\x04", shown, strict=True):
        text = text.replace(control, visible)
    assert iso15434.parse_message(text) == iso15434.parse_message(CA_01)


def test_sender_url_takes_the_other_elements_CA_07() -> None:
    text = "[)>\x1e06\x1d34LHTTPS://X.CN/?S=\x1d1TL1\x1d16D20260105\x1e\x04"
    assert iso15434.parse_message(text).sender_url() == "HTTPS://X.CN/?S=1TL1%1D16D20260105"
    assert iso15434.parse_message(CA_01).sender_url() == ""


@pytest.mark.parametrize("symbology", ["]d1", "]Q1"])
def test_symbology_is_taken_off_and_recorded_CA_08(symbology: str) -> None:
    found = recognise(symbology + "88.100.12345678/ABC")
    assert found.identifier.key == "88.100.12345678/ABC"
    assert (found.carrier, found.notes) == ("aim", (f"symbology:{symbology}",))


def test_gs1_symbology_is_read_as_element_string_CA_08() -> None:
    found = recognise("]d2010952012345678817261231\x1d10A")
    assert found.identifier.key == "gs1:/01/09520123456788/10/A"
    assert (found.carrier, found.notes) == ("gs1", ("symbology:]d2", "elements:17"))


def test_underscore_breaks_the_carrier_profile_CA_10() -> None:
    assert refusal(PROFILES["ascii33"].canonical, "ABC_1").code == "policy"


@pytest.mark.parametrize(
    "text",
    [
        "q=https%3A%2F%2Fid.example.cn%2Fh%2F88.100.12345678%2FA",
        "https://mp.example.cn/x?q=https%3A%2F%2Fid.example.cn%2Fh%2F88.100.12345678%2FA&scancode_time=1",
    ],
)
def test_wechat_parameter_is_decoded_once_CA_11(text: str) -> None:
    found = recognise(text)
    assert found.identifier.key == "88.100.12345678/A"
    assert (found.carrier, found.notes) == ("url", ("wechat",))
