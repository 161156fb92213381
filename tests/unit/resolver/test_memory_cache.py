"""The in-process cache stays within its budget and never serves what was dropped."""

from __future__ import annotations

from resolver.memory_cache import MemoryCache, ReadyReply
from resolver.rendering import resolution_of
from resolver.resolution import Answer
from tests.unit.resolver.fakes import disclosed, stored


def answer(key: str) -> Answer:
    return Answer(key, resolution_of(disclosed(stored(key))))


def cached(cache: MemoryCache, key: str) -> Answer:
    made = answer(key)
    cache.put(made)
    cache.keep_ready(f"/id/{key}".encode(), ReadyReply(made, b"head", b"body", b"event"))
    return made


def test_dropped_answer_takes_its_ready_replies_with_it() -> None:
    cache = MemoryCache()
    made = cached(cache, "1/A")
    cache.drop(["1/A", "1/UNKNOWN"])
    assert (cache.find("1/A"), cache.ready_at(b"/id/1/A"), made.alive) == (None, None, False)


def test_replaced_answer_is_dead_and_the_new_one_is_served() -> None:
    cache = MemoryCache()
    old = cached(cache, "1/A")
    new = answer("1/A")
    cache.put(new)
    assert (old.alive, new.alive, cache.find("1/A")) == (False, True, new)
    assert cache.ready_at(b"/id/1/A") is None


def test_reply_of_an_answer_that_is_not_kept_is_not_kept_either() -> None:
    cache = MemoryCache()
    cache.keep_ready(b"/id/1/A", ReadyReply(answer("1/A"), b"", b"", b""))
    assert cache.ready_at(b"/id/1/A") is None


def test_budget_holds_over_many_entries_and_dropped_ones_are_dead() -> None:
    limit = 100_000
    cache = MemoryCache(limit)
    made = [cached(cache, f"1/{n}") for n in range(1000)]
    assert cache.size_bytes <= limit
    assert 0 < len(cache) < 100
    kept = [cache.find(each.key) is each for each in made]
    assert [each.alive for each in made] == kept


def test_what_is_used_survives_a_flood_of_other_keys() -> None:
    cache = MemoryCache(100_000)
    hot = cached(cache, "1/HOT")
    for n in range(1000):
        cached(cache, f"1/{n}")
        assert cache.ready_at(b"/id/1/HOT") is not None
    assert cache.find("1/HOT") is hot


def test_clear_leaves_nothing_and_kills_everything() -> None:
    cache = MemoryCache()
    made = cached(cache, "1/A")
    cache.clear()
    assert (made.alive, cache.size_bytes, len(cache)) == (False, 0, 0)
