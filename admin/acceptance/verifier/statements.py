"""Statements and their journals: an unbroken chain, each recomputed from its events."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.counting_rules import (
    CHANNELS,
    CLASSES,
    OUTCOMES,
    Classifier,
    Event,
    Memory,
    Rules,
)
from admin.acceptance.verifier.faults import (
    Broken,
    Faults,
    canonical_json,
    require,
    strict_json,
)
from admin.acceptance.verifier.log_tree import tree_root
from admin.acceptance.verifier.registrations import unix_ms

HOUR_MS = 3_600_000
MAX_JOURNAL_BYTES = 1 << 30
_ENTRIES = "log/tile/entries"
_EVENT_LINE = re.compile(
    rb'\{"a":(-1|0|[1-9][0-9]{0,3}),"c":"([0-9a-f]{32}|)","ch":"([a-z_]+)","d":"([a-z0-9-]{0,61})"'
    rb',"i":"([0-9a-f]{32}|)","k":"([a-z_]+)","n":"(self|own|outside)","o":"([a-z]+)"'
    rb',"r":"(none|internal|partner|monitor|self)","t":(0|[1-9][0-9]{0,14}),"x":(true|false)\}'
)


class Statement(NamedTuple):
    """One statement or correction with the events of its journal."""

    leaf_index: int
    leaf: dict[str, Any]
    file: str
    events: list[Event]


def journal_name(index: int) -> str:
    """Return where the journal of the statement at a leaf index lies."""
    return f"log/journal/{index:09d}.events.gz"


def read_statements(
    files: BundleFiles,
    leaves: list[dict[str, Any]],
    entries: list[bytes],
    rules: dict[str, Rules],
    faults: Faults,
) -> Iterator[Statement]:
    """Yield statements and corrections in the order of the log, each checked; raises Broken."""
    chain = _Chain(faults)
    declared: dict[str, dict[str, Any]] = {}
    in_force: set[str] = set()
    memory = Memory()
    journals = {name for name in files.names() if name.startswith("log/journal/")}
    for index, leaf in enumerate(leaves):
        kind = leaf["kind"]
        if kind == "campaign":
            declared[leaf["id"]] = _campaign(leaf, declared, entry_file(index))
        elif kind == "rule_change":
            in_force.add(leaf["digest"])
        elif kind in ("hour_stat", "correction"):
            chain.take(index, leaf, entries[index])
            name = journal_name(index)
            journals.discard(name)
            faults.reading = name
            known = leaf["rules"]["digest"]
            if known not in in_force:
                faults.add(entry_file(index), f"条目 {index} 的规则未启用", f"leaf {index}: rules")
            require(known in rules, "rules/", f"缺少规则 {known}", f"the rules {known} are missing")
            events = _read_journal(files.read(name), name, leaf)
            # One memory, whichever version judged: a repeat is measured from what was counted.
            classifier = Classifier(rules[known], memory)
            _check_classes(events, classifier, leaf, name, faults)
            _check_sums(events, rules[known], leaf, name, faults)
            _check_campaigns(events, declared, name, faults)
            yield Statement(index, leaf, name, events)
    for name in sorted(journals):
        faults.add(name, "没有此日志的结算单", "no statement belongs to this journal")


def entry_file(index: int) -> str:
    """Return which bundle of entries a leaf is in (a partial one is named without its width)."""
    groups = re.findall("...", str(index // 256).zfill(-(-len(str(index // 256)) // 3) * 3))
    return "/".join([_ENTRIES, *("x" + group for group in groups[:-1]), groups[-1]])


class _Chain:
    """Each statement begins where the last one ended and names the leaf before it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._prev = ""
        self._until = ""
        self._periods: set[str] = set()

    def take(self, index: int, leaf: dict[str, Any], entry: bytes) -> None:
        file = entry_file(index)
        if leaf["prev"] != self._prev:
            self._faults.add(
                file,
                f"结算单 {index} 与前一份不相接:有结算单被删去或加入",
                f"statement {index} does not follow the one before: one was removed or added",
            )
        self._prev = hashlib.sha256(entry).hexdigest()
        begins, ends = unix_ms(leaf["from"]), unix_ms(leaf["until"])
        good = begins < ends <= begins - begins % HOUR_MS + HOUR_MS
        require(good, file, f"结算单 {index} 的时段有误", f"statement {index}: a bad period")
        if leaf["kind"] == "correction":
            good = leaf["corrects"] == leaf["from"] and leaf["from"] in self._periods
            require(good, file, f"更正 {index} 无所更正", f"correction {index} corrects nothing")
            return
        if self._until and leaf["from"] != self._until:
            self._faults.add(
                file,
                f"结算单不连续:{self._until} 之后是 {leaf['from']}",
                f"the statements are not contiguous: {leaf['from']} follows {self._until}",
            )
        if leaf["from"] in self._periods:
            self._faults.add(file, f"时段重复:{leaf['from']}", f"counted twice: {leaf['from']}")
        self._periods.add(leaf["from"])
        self._until = leaf["until"]


def _campaign(leaf: dict[str, Any], known: dict[str, dict[str, Any]], file: str) -> dict[str, Any]:
    """Return a campaign as it now stands: its window, and when it was cancelled."""
    at_ms = unix_ms(leaf["at"])
    before = known.get(leaf["id"])
    begins, ends = unix_ms(leaf["from"]), unix_ms(leaf["until"])
    if leaf["state"] == "cancelled":
        require(before is not None, file, "取消了未声明的压测", "what was cancelled was none")
        assert before is not None  # noqa: S101 - said by the line above
        return {**before, "ends_ms": min(before["ends_ms"], at_ms)}
    # It takes effect from its own leaf's time at the earliest; a burst is found afterwards.
    begins_ms = max(begins, at_ms) if leaf["declared"] else begins
    return {"declared": leaf["declared"], "begins_ms": begins_ms, "ends_ms": ends}


def _read_journal(data: bytes, name: str, leaf: dict[str, Any]) -> list[Event]:
    digest = hashlib.sha256(data).hexdigest()
    require(digest == leaf["journal"], name, "与结算单的摘要不符", "differs from its statement")
    try:
        unzip = zlib.decompressobj(31)
        text = unzip.decompress(data, MAX_JOURNAL_BYTES)
    except zlib.error as error:
        raise Broken(name, "无法解压", "cannot be decompressed") from error
    good = unzip.eof and not unzip.unused_data and text.endswith(b"\n")
    require(good, name, "末尾不完整", "the end is missing")
    first, *lines = text[:-1].split(b"\n")
    head = strict_json(first, name)
    same = all(head[key] == leaf[key] for key in ("from", "until", "prev", "rules"))
    require(same and head["v"] == 1, name, "首行与结算单不符", "the head differs")
    hashes = [hashlib.sha256(b"\0" + line).digest() for line in lines]
    require(tree_root(hashes).hex() == leaf["root"], name, "事件树的根不符", "another root")
    return [_event(line, head["agents"], name) for line in lines]


def _event(line: bytes, agents: list[str], name: str) -> Event:
    match = _EVENT_LINE.fullmatch(line)
    if match is None:
        raise Broken(name, "事件行有误", "an event line is malformed")
    number, *texts, at_ms, test = (part.decode("ascii") for part in match.groups())
    client, channel, campaign, identifier, class_, near, outcome, role = texts
    agent = int(number)
    good = channel in CHANNELS and class_ in CLASSES and outcome in OUTCOMES and agent < len(agents)
    require(good, name, "事件行有误", "an event line is malformed")
    return Event(
        agents[agent] if agent >= 0 else "",
        *(client, channel, campaign, identifier, class_, near, outcome, role),
        int(at_ms),
        test == "true",
    )


def _check_classes(
    events: list[Event], classifier: Classifier, leaf: dict[str, Any], name: str, faults: Faults
) -> None:
    is_correction = leaf["kind"] == "correction"
    begins, ends = unix_ms(leaf["from"]), unix_ms(leaf["until"])
    again = classifier.classes(events, begins, is_correction)
    for number, (event, expected) in enumerate(zip(events, again)):
        if event.class_ != expected:
            faults.add(
                name,
                f"第 {number} 个事件的类别为 {event.class_},依规则应为 {expected}",
                f"event {number} is of class {event.class_}, by the rules {expected}",
            )
            return
        if not begins <= event.at_ms < ends:
            faults.add(name, f"第 {number} 个事件不在时段内", f"event {number} is of another time")
            return


def _check_sums(
    events: list[Event], rules: Rules, leaf: dict[str, Any], name: str, faults: Faults
) -> None:
    counts: dict[str, Counter[str]] = {}
    clients, identifiers = set(), set()
    for event in events:
        counts.setdefault(event.class_, Counter())[event.channel] += 1
        if event.class_ in rules.counted:
            clients.add(event.client)
            identifiers.add(event.identifier)
    actual = {
        "events": len(events),
        "counts": {key: dict(by) for key, by in counts.items()},
        "clients": len(clients),
        "identifiers": len(identifiers),
    }
    for key, value in actual.items():
        if canonical_json(leaf[key]) != canonical_json(value):
            faults.add(name, f"结算单的 {key} 与事件不符", f"the statement's {key} differs")


def _check_campaigns(
    events: list[Event], declared: dict[str, dict[str, Any]], name: str, faults: Faults
) -> None:
    for event in events:
        if not event.campaign:
            continue
        window = declared.get(event.campaign)
        if window is None:
            faults.add(
                name,
                f"压测 {event.campaign} 未先入日志",
                f"the campaign {event.campaign} was not logged before",
            )
            return
        if window["declared"] and not window["begins_ms"] <= event.at_ms < window["ends_ms"]:
            faults.add(
                name,
                f"事件不在压测 {event.campaign} 的时段内",
                f"an event is outside the campaign {event.campaign}",
            )
            return
