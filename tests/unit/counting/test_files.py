"""Spools as they grow and end, keys, seals, and what is not sealed yet."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.counting.live_totals import LiveTotals, read_live, write_live
from node.counting.state_seal import StateSeal
from node.counting.tally_folder import SpoolFile, TallyFolder
from node.counting.unsealed_events import Extent, Period, Portion, Unsealed, oldest_event_ms
from node.counting.window_key import NAME, create_window_key, load_window_key
from node.domain.resolution_spool import encode_block
from node.errors import IntegrityFailure, InvalidInput, Unavailable
from node.storage.tally_queries import TallyState
from tests.builders import lot
from tests.tallies import HOUR_MS, NINE_MS, Look, Spool

STATE = TallyState("2026-11-21T09:00:00.000Z", "ab" * 32, 3, 1, '{"miss":{"http":2}}', b"")


@pytest.fixture
def folder(tmp_path: Path) -> TallyFolder:
    folder = TallyFolder(tmp_path / "tally")
    folder.prepare()
    return folder


def test_a_spool_is_read_on_as_it_grows(folder: TallyFolder) -> None:
    spool = Spool(folder.spools / f"p-{NINE_MS}.spool")
    with SpoolFile(spool.path) as file:
        assert list(file.blocks()) == []
        for number in range(3):
            spool.write(NINE_MS + number, [Look(lot(number))])
            (block,) = file.blocks()
            assert (block.at_ms, len(block.events)) == (NINE_MS + number, 1)
        assert not file.is_complete()
        spool.tear()
        assert list(file.blocks()) == []
        spool.close()
        assert file.is_complete()
        assert list(file.blocks()) == []


def test_a_block_larger_than_a_piece_is_read(folder: TallyFolder) -> None:
    spool = Spool(folder.spools / f"p-{NINE_MS}.spool")
    spool.write(NINE_MS, [Look("88.111.2/" + "X" * 2_000)] * 1_500)
    spool.write(NINE_MS + 1, [Look()])
    spool.close()
    with SpoolFile(spool.path) as file:
        assert [len(block.events) for block in file.blocks()] == [1_500, 1]


def test_a_spool_that_is_gone_is_unavailable(folder: TallyFolder) -> None:
    with pytest.raises(Unavailable):
        SpoolFile(folder.spools / "none.spool")


def test_the_oldest_event_is_found_past_what_cannot_be_read(folder: TallyFolder) -> None:
    assert oldest_event_ms(folder) is None
    (folder.spools / "bad-1.spool").write_bytes(b"something else")
    for number in (7, 3, 5):
        spool = Spool(folder.spools / f"p{number}-{NINE_MS}.spool")
        spool.write(NINE_MS + number, [Look()])
        spool.close()
    assert oldest_event_ms(folder) == NINE_MS + 3


times = st.lists(
    st.lists(st.integers(-2 * HOUR_MS, 6 * HOUR_MS), max_size=6), min_size=1, max_size=3
)


@given(times, st.lists(st.integers(1, 2 * HOUR_MS), min_size=1, max_size=5))
def test_whatever_clocks_do_each_block_is_sealed_once_and_within_its_period(
    tmp_path_factory: pytest.TempPathFactory, spools: list[list[int]], lengths: list[int]
) -> None:
    folder = TallyFolder(tmp_path_factory.mktemp("tally"))
    folder.prepare()
    for number, offsets in enumerate(spools):
        spool = Spool(folder.spools / f"p{number}-{NINE_MS}.spool")
        for offset in offsets:
            spool.write(NINE_MS + offset, [Look()], dropped=1)
        spool.close()
    positions: dict[str, int] = {}
    begins_ms, sealed = NINE_MS, 0
    for number, length in enumerate([*lengths, 9 * HOUR_MS]):
        period = Period(begins_ms, begins_ms + length)
        now_ms = period.ends_ms
        unsealed = Unsealed(folder, positions, period, now_ms, is_first=number == 0)
        looked: list[Portion] = []
        extent = unsealed.extent(looked.append)
        taken = list(unsealed.in_order(extent))
        assert [p.at_ms for p in taken] == sorted(p.at_ms for p in taken)
        assert len(looked) == len(taken)
        assert all(period.begins_ms <= p.at_ms < period.ends_ms for p in taken)
        late_for = Period(NINE_MS, begins_ms) if number else None
        late = late_portions(unsealed, extent, late_for)
        sealed += len(taken) + len(late)
        assert all(late_for and late_for.begins_ms <= p.at_ms < late_for.ends_ms for p in late)
        positions |= extent.ends
        begins_ms = period.ends_ms
    assert sealed == sum(map(len, spools))


def late_portions(unsealed: Unsealed, extent: Extent, to: Period | None) -> list[Portion]:
    """Return what came late, all of it for one period."""
    if to is None:
        assert not extent.late
        return []
    return list(unsealed.late_in_order(extent, dict.fromkeys(extent.late, to), to))


def test_a_file_of_others_ends_where_it_stops_being_one(folder: TallyFolder) -> None:
    spool = Spool(folder.spools / f"p-{NINE_MS}.spool")
    spool.write(NINE_MS, [Look()])
    spool.close()
    with spool.path.open("ab") as file:
        file.write(encode_block(NINE_MS, b"\xff\xff\xff\xff", events=1, dropped=0))
    period = Period(NINE_MS, NINE_MS + 5)
    seen: list[Portion] = []
    Unsealed(folder, {}, period, NINE_MS + 5).extent(seen.append)
    assert len(seen) == 1
    with SpoolFile(spool.path) as reading, pytest.raises(InvalidInput):
        list(reading.blocks())


def test_the_window_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        load_window_key(tmp_path)
    key = create_window_key(tmp_path)
    assert len(key) == 32
    assert create_window_key(tmp_path) == load_window_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [NAME]
    (tmp_path / NAME).write_bytes(b"short")
    with pytest.raises(Unavailable):
        create_window_key(tmp_path)


def test_a_seal_covers_state_and_positions_together() -> None:
    seal, other = StateSeal(bytes(32)), StateSeal(bytes([1]) * 32)
    places = [seal.position(name, 10, "2026-11-21T09:00:00.000Z") for name in "ab"]
    state = seal.state(STATE, places)
    seal.check(state, places)
    assert seal.edited(STATE, places) == ["tally_state"]
    # An older row with its own good seal is seen by the state's.
    older = seal.position("b", 5, "2026-11-21T08:00:00.000Z")
    assert seal.edited(state, [places[0], older]) == ["tally_state"]
    assert seal.edited(state, places[:1]) == ["tally_state"]
    assert other.edited(state, places) == ["a", "b", "tally_state"]
    with pytest.raises(IntegrityFailure):
        other.check(state, places)
    seal.check(TallyState("", "", 0, 0, "{}", b""), [])


def test_live_totals_continue_one_statement_only(folder: TallyFolder) -> None:
    assert read_live(folder, "") is None
    totals = LiveTotals("ab", "2026-11-21T09:00:00.000Z", {"miss": {"http": 1}}, 0, 0)
    write_live(folder, totals)
    assert read_live(folder, "ab") == totals
    assert read_live(folder, "cd") is None
    for damaged in (b"", b"{", b"[]", b"\xff"):
        folder.live.write_bytes(damaged)
        assert read_live(folder, "ab") is None
