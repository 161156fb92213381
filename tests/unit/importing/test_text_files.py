"""CSV and NDJSON files as they really come, and as an attacker sends them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.errors import InvalidInput, LimitExceeded, XibiaoError
from node.importing.csv_reader import join_fields, read_records, split_record
from node.importing.findings import RowDraft
from node.importing.limits import Limits
from node.importing.table_reader import Table, open_table
from tests.unit.importing.batch_rows import VALID, analysed, csv_text, identifier, row, stored

ATTRIBUTES = {k: v for k, v in VALID.items() if v and k not in ("handle", "parents")}


def drafts(table: Table) -> list[RowDraft]:
    return [draft for analysis in analysed(table) for draft in analysis.drafts]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_clean_row_is_read_alike_in_every_form(
    tmp_path: Path, encoding: str, delimiter: str, end: str
) -> None:
    text = csv_text(row(), delimiter=delimiter, end=end)
    table = stored(tmp_path, text.encode(encoding))
    (draft,) = drafts(table)
    assert (draft.row, draft.identifier, draft.findings) == (2, VALID["handle"], [])
    assert draft.attributes == ATTRIBUTES


def test_titles_above_blank_lines_and_totals_are_no_rows_but_count(tmp_path: Path) -> None:
    header, first = csv_text(row()).splitlines()
    second = csv_text(row(handle=identifier(2))).splitlines()[1]
    text = "\n".join(["稀土批次表", "", header, first, "", second, "合计,,,,,,,,78580.0", ""])
    found = drafts(stored(tmp_path, text))
    assert [draft.row for draft in found] == [4, 6]


def test_line_break_inside_quotes_is_one_row(tmp_path: Path) -> None:
    text = csv_text(row(product_name="氟碳铈矿-独居石\n混合精矿"), row(handle=identifier(2)))
    first, second = drafts(stored(tmp_path, text))
    assert [f.kind for f in first.findings] == ["embedded_newline"]
    assert first.attributes["product_name"] == VALID["product_name"]
    assert second.row == 3


@pytest.mark.parametrize(("file", "line"), [("utf-8", "gb18030"), ("gb18030", "utf-8")])
def test_row_in_another_encoding_is_converted(tmp_path: Path, file: str, line: str) -> None:
    header, first = csv_text(row()).splitlines(keepends=True)
    other = csv_text(row(handle=identifier(2))).splitlines(keepends=True)[1]
    data = (header + first * 3).encode(file) + other.encode(line)
    found = drafts(stored(tmp_path, data))
    assert [f.kind for f in found[-1].findings] == ["mixed_encoding"]
    assert found[-1].attributes == ATTRIBUTES


def test_row_in_no_encoding_is_refused_alone(tmp_path: Path) -> None:
    data = csv_text(row()).encode() + b"\xff\xff\xff\n"
    found = drafts(stored(tmp_path, data))
    assert [[f.kind for f in d.findings] for d in found] == [[], ["undecodable"]]


def test_wrong_number_of_fields_is_refused_and_not_realigned(tmp_path: Path) -> None:
    text = csv_text(row()).replace("矿业有限公司", "矿业,有限公司")
    (draft,) = drafts(stored(tmp_path, text))
    assert [f.kind for f in draft.findings] == ["column_shift"]
    assert draft.attributes == {}


def test_cell_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    text = csv_text(row(lot_no="x" * 40_000), row(lot_no="x" * 300, handle=identifier(2)))
    found = drafts(stored(tmp_path, text))
    assert [[f.kind for f in d.findings] for d in found] == [["too_long"], ["too_long"]]


def test_units_in_titles_convert_their_column(tmp_path: Path) -> None:
    text = csv_text(row(net_kg="78.58", fe_pct="50100"))
    text = text.replace("net_kg", "净重（吨）", 1).replace("fe_pct", "Fe(ppm)", 1)
    (draft,) = drafts(stored(tmp_path, text.replace(",pack_净", ",pack_net_kg")))
    assert draft.attributes["net_kg"] == "78580"
    assert draft.attributes["fe_pct"] == "5.01"
    assert {f.kind for f in draft.findings} == {"header_unit"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_header"),
        (b"\x00" * 100, "binary_file"),
        (b"a,b\x00,c\n", "binary_file"),
        (b"%PDF-1.7", "file_format"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file_format"),
        (b"1,2,3\n" * 100, "no_header"),
        (b'"' * 1000, "no_header"),
        (b"[1]\n", "no_header"),
        (b"{", "json"),
        (b'{"a": NaN}\n', "json"),
        (b'{"handle": "x", "handle": "y"}\n', "json"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "json"),
        (b'{"lot_no": "x"}\n', "no_header"),
    ],
)
def test_file_that_is_no_table_is_refused_with_a_reason(
    tmp_path: Path, data: bytes, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        stored(tmp_path, data)
    assert caught.value.code == code
    assert caught.value.zh
    assert caught.value.en


def test_limits_stop_files_that_are_too_large(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(csv_text(*[row()] * 20), "utf-8")
    with pytest.raises(LimitExceeded):
        open_table(path, "f.csv", Limits(file_bytes=100))
    with pytest.raises(LimitExceeded):
        list(open_table(path, "f.csv", Limits(rows=10)).chunks(5))
    with pytest.raises(LimitExceeded):
        open_table(path, "f.csv", Limits(columns=10))


def test_line_without_end_and_quote_without_end_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    limits = Limits(record_bytes=10_000)
    path.write_bytes(b"x" * 1_000_000)
    with pytest.raises(LimitExceeded):
        open_table(path, "f.csv", limits)
    path.write_text(csv_text(row()) + '"unterminated\n' + "x\n" * 20_000, "utf-8")
    with pytest.raises(LimitExceeded):
        list(open_table(path, "f.csv", limits).chunks())


def test_a_million_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded):
        stored(tmp_path, "a," * 500_000)


def test_unmatched_quote_refuses_its_row_alone(tmp_path: Path) -> None:
    header, good = csv_text(row()).splitlines(keepends=True)
    bad = good.replace("202409261001", '"2024"x')
    found = drafts(stored(tmp_path, header + bad + good))
    assert [[f.kind for f in d.findings] for d in found] == [["malformed_row"], []]


def ndjson(*objects: dict[str, object]) -> str:
    return "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects)


def test_json_numbers_keep_their_digits_and_parents_their_masses(tmp_path: Path) -> None:
    parent = identifier(9)
    text = ndjson({**VALID, "parents": []}).replace('"51.09"', "51.090")
    text = text.replace('"parents": []', f'"parents": [{{"id": "{parent}", "kg": 5.10}}]')
    (draft,) = drafts(stored(tmp_path, text))
    assert draft.attributes == {**ATTRIBUTES, "tre_pct": "51.090"}
    assert draft.parents == [(parent, "5.10")]
    assert draft.row == 1


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "null", "1", '{"handle": NaN}', '{"handle": 1e999999}x', '{"lot_no": true}',
        '{"lot_no": {"a": 1}}', '{"lot_no": [1]}', '{"lot_no": "\\ud800"}',
        '{"lot_no": "\\u0000é"}',
        '{"lot_no": 1, "lot_no": 2}', '{"parents": [1]}', '{"parents": [{"id": null, "kg": 2}]}',
        '{"a":' * 5_000 + "1" + "}" * 5_000,
    ],
)  # fmt: skip
def test_hostile_json_line_is_refused_alone(tmp_path: Path, line: str) -> None:
    good = ndjson(dict(VALID))
    found = drafts(stored(tmp_path, good + line + "\n" + good))
    kinds = [[f.kind for f in draft.findings] for draft in found]
    assert kinds[0] == kinds[2] == []
    assert kinds[1] == ["malformed_row"]


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_random_bytes_after_a_good_row_never_break_the_reader(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "random.csv"
    path.write_bytes(csv_text(row()).encode() + data)
    try:
        found = drafts(open_table(path, "random.csv", Limits(record_bytes=4_096)))
    except XibiaoError:
        return
    assert found[0].identifier == VALID["handle"]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2))
def test_joined_fields_are_split_again(fields: list[str]) -> None:
    assert split_record(join_fields(fields, ";"), ";") == fields


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.text('a",\n\r ', max_size=6), min_size=2, max_size=4)))
def test_records_joined_again_are_the_file(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "any.csv"
    text = "".join(join_fields(fields, ",") + "\n" for fields in rows)
    path.write_bytes(text.encode())
    records = list(read_records(path, "utf-8", ",", Limits()))
    assert b"".join(records).decode() == text
    assert [split_record(r.decode(), ",") for r in records] == rows
