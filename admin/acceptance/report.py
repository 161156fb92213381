"""The report model: every number that any paper of the acceptance bundle may show.

Invariants: the report is a function of the log up to one size, the rules, the receipt and the
project file, so that equal inputs give equal bytes; it holds no clock of this machine and no
floating point number: counts, milliseconds, minutes and bytes are integers, shares are decimal text
in percent with two digits ("31.20"). Its bytes are canonical JSON (RFC 8785). Times are
`2026-11-21T09:00:00.123Z`; dates and hours of tables are those of Beijing (UTC+8).

`VerdictState` "met" is said only when the target is reached and nothing contradicts it; one that is
short by one is "missed"; when a comparison differs, all verdicts are "undecided".
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1
VerdictState = Literal["met", "missed", "undecided"]


class Text(msgspec.Struct, frozen=True):
    """One sentence in both languages."""

    zh: str
    en: str


class Thresholds(msgspec.Struct, frozen=True):
    """What the project promised: counts, and limits of the synchronisation lag in ms."""

    registrations: int = 300_000
    resolutions: int = 50_000
    lag_p95_ms: int = 5_000
    lag_p99_ms: int = 30_000
    lag_max_ms: int = 60_000


class Project(msgspec.Struct, frozen=True):
    """Who applies for acceptance of what; texts as the project file has them, "" where it has none.

    `prefixes` are the node's own; `sln` is the secondary node's name, `licence` the number of its
    registration service licence. Dates are `YYYY-MM-DD`. `forms` holds free texts for the forms by
    name (`plan`, `plan_done`, `goals`, `goals_done`, `planned_investment`, `actual_investment`, …)
    and `indicators` the values of 附件9 that a person enters, by the row's name.
    """

    id: str
    name: str
    applicant: str
    category: str
    contract: str
    licence: str
    prefixes: tuple[str, ...]
    sln: str
    applied_on: str
    began_on: str
    ended_on: str
    thresholds: Thresholds = Thresholds()
    forms: dict[str, str] = {}
    indicators: dict[str, str] = {}


class Verdict(msgspec.Struct, frozen=True):
    """One of the three questions: reached or not, by how much.

    `subject` is `registrations` (value R3), `resolutions` (value N) or `sync` (value P95 in ms,
    a ceiling). `margin` is value - target, for `sync` target - value; `margin_percent` relates it
    to the target. Where nothing was measured value is -1 and margin -target. `reasons` says why it
    is missed or undecided.
    """

    subject: Literal["registrations", "resolutions", "sync"]
    value: int
    target: int
    margin: int
    margin_percent: str
    state: VerdictState
    reasons: tuple[Text, ...] = ()


class Registered(msgspec.Struct, frozen=True):
    """R0 ⊇ R1 ⊇ R2 ⊇ R3 of one row: a day, a class, a source, or the whole.

    R0: registration events. R1: distinct identifiers. R2: of these the valid ones. R3: of these
    the ones that the secondary node holds, by its receipt.
    """

    key: str
    r0: int
    r1: int
    r2: int
    r3: int


class RegistrationDeductions(msgspec.Struct, frozen=True):
    """Each step from R0 to R3; an identifier is deducted once, by the first that fits.

    R0 - duplicates = R1; R1 - test - revoked - placeholder - repeated_content = R2;
    R2 - refused_by_peer - unacknowledged = R3.
    """

    duplicates: int
    test: int
    revoked: int
    placeholder: int
    repeated_content: int
    refused_by_peer: int
    unacknowledged: int


class Registrations(msgspec.Struct, frozen=True):
    """Identifiers registered. `reserved` ones were never registered and are in no figure.

    An identifier stands in the day, class and source of its first registration. `busiest_day` has
    the most of R1; `import_files` are the files that brought most, by the digest the node noted.
    """

    total: Registered
    deductions: RegistrationDeductions
    by_day: tuple[Registered, ...]
    by_class: tuple[Registered, ...]
    by_source: tuple[Registered, ...]
    busiest_day: str
    busiest_day_share: str
    suspended: int
    changes: int


class Counted(msgspec.Struct, frozen=True):
    """Gross, deducted and net of one row: a day, an hour, a channel."""

    key: str
    gross: int
    net: int


class ClassCount(msgspec.Struct, frozen=True):
    """One class of look-ups; `is_counted` when it belongs to N."""

    key: str
    count: int
    is_counted: bool


class Campaign(msgspec.Struct, frozen=True):
    """A load test: declared before it ran, or found by rule. `count` look-ups were deducted.

    `index` is its leaf; `logged_at` when it was logged; `state` as last logged.
    """

    id: str
    declared: bool
    operator: str
    reason: str
    begins: str
    ends: str
    logged_at: str
    index: int
    state: str
    count: int


class Resolutions(msgspec.Struct, frozen=True):
    """Look-ups: G - each deduction = N, recomputed from the journals.

    `gross` - `deducted` = `net` and `difference` is what is left of the sum over `by_class`: 0.
    `dropped` events were never recorded and are in no figure. `clients`, `identifiers`: distinct
    over N. `weekday_hours`: 7 rows (Monday first) of 24 hours, N in Beijing time. `by_hour` key:
    `2026-11-21T17` (Beijing). `by_outcome`: over G. `days_with_any`: days with N > 0.
    `success_share`: `found` and `status` of G, "" when there was none.
    """

    gross: int
    deducted: int
    net: int
    difference: int
    dropped: int
    statements: int
    corrections: int
    settled_until: str
    clients: int
    identifiers: int
    top_client_count: int
    top_client_share: str
    top_ten_count: int
    top_ten_share: str
    days_with_any: int
    by_class: tuple[ClassCount, ...]
    by_channel: tuple[Counted, ...]
    by_day: tuple[Counted, ...]
    by_hour: tuple[Counted, ...]
    by_outcome: tuple[Counted, ...]
    by_clients: tuple[Counted, ...]
    weekday_hours: tuple[tuple[int, ...], ...]
    success_share: str = ""


class Lag(msgspec.Struct, frozen=True):
    """Lag from acceptance to acknowledgement over `count` changes, in ms; -1 where none is."""

    key: str
    count: int
    p50_ms: int
    p95_ms: int
    p99_ms: int
    max_ms: int


class Outage(msgspec.Struct, frozen=True):
    """A time in which the secondary node could not be reached, as the acknowledgements show it."""

    begins: str
    ends: str
    minutes: int
    changes: int


class Synchronisation(msgspec.Struct, frozen=True):
    """How soon the secondary node had what was registered.

    `online` holds the changes accepted while the link was up: the claim. `offline` those that had
    to wait for the end of an outage: shown apart, never counted as good. `unacknowledged` changes
    have not been acknowledged at all; `acknowledged_share` is the share that has, "" of none.
    """

    online: Lag
    offline: Lag
    by_day: tuple[Lag, ...]
    outages: tuple[Outage, ...]
    acknowledged: int
    unacknowledged: int
    acknowledged_share: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """One row of a table 本节点 / 对方 / 差异. `other` is `secondary`, `tables` or `statements`.

    `key` names the row; values are text, for some are digests. `difference` 0 means equal. When
    `withdraws`, a difference is a contradiction that leaves all verdicts undecided; else it is a
    number that is explained elsewhere (what the peer has not applied is deducted from R3).
    """

    key: str
    other: Literal["secondary", "tables", "statements"]
    node_value: str
    other_value: str
    difference: int
    withdraws: bool
    remark: Text


class Receipt(msgspec.Struct, frozen=True):
    """The secondary node's signed receipt: of the first `size` leaves it holds all, and has applied
    all changes but `unapplied`. `signer` is its key's name, "" when there is no receipt."""

    signer: str
    size: int
    root: str
    unapplied: int


class Note(msgspec.Struct, frozen=True):
    """Something the applicant must explain, found by rule. `code` is one of `one_day`,
    `top_client`, `imports`, `campaigns`, `undeclared_burst`, `dropped`, `outage`, `repeated`.

    `value` is the figure it is about: a share "92.50" or a count "12000".
    """

    code: str
    value: str
    text: Text


class Availability(msgspec.Struct, frozen=True):
    """Minutes in which hours were sealed late count as not available, from the beginning of the
    first late hour on: the log alone tells it, and errs against the applicant. `failure_share` is
    `unavailable_minutes` of `minutes`, rounded up."""

    minutes: int
    unavailable_minutes: int
    share: str
    failed_lookups: int
    interruptions: tuple[Outage, ...]
    failure_share: str = ""


class SampledItem(msgspec.Struct, frozen=True):
    """One identifier of the spot check; `result` is `resolved`, `suspended`, `revoked`, `failed`.

    `document` is the plant's source document; `resolved_at` is of the live look-up.
    """

    number: int
    index: int
    identifier: str
    document: str
    registered_at: str
    result: str
    resolved_at: str
    answer_sha256: str


class SpotCheck(msgspec.Struct, frozen=True):
    """A sample drawn by the auditor's nonce and the root; `passed` of `count` are as they should.

    With no failure among 299 it is 95 % sure that less than 1 % are bad; among 2,995, less than
    0.1 %.
    """

    nonce: str
    population: int
    count: int
    passed: int
    items: tuple[SampledItem, ...]


class Log(msgspec.Struct, frozen=True):
    """The log as its checkpoint states it; `as_of` is the time of the last leaf, hashes in hex."""

    origin: str
    size: int
    root: str
    as_of: str
    key: str
    cosigners: tuple[str, ...]


class Rules(msgspec.Struct, frozen=True):
    """The rules of counting: version and SHA-256 of the file in the bundle, and what it says.

    `used` are the versions that statements were made with, in order; `recounted` when the figures
    were made with another version than the statements.
    """

    version: int
    digest: str
    used: tuple[int, ...]
    recounted: bool


class EvidenceFile(msgspec.Struct, frozen=True):
    """One file of the bundle (or a folder, by the digest of its manifest lines), in its order."""

    path: str
    content: Text
    size_bytes: int
    sha256: str


class Report(msgspec.Struct, frozen=True):
    """The whole report. `state` is that of the weakest verdict.

    `spot_check` is None until a sample was drawn. `files` lists the evidence this report is made
    of; papers made of the report cannot be listed in it: the manifest lists them all.
    """

    schema: int
    project: Project
    log: Log
    rules: Rules
    state: VerdictState
    verdicts: tuple[Verdict, ...]
    registrations: Registrations
    resolutions: Resolutions
    campaigns: tuple[Campaign, ...]
    sync: Synchronisation
    receipt: Receipt
    comparisons: tuple[Comparison, ...]
    availability: Availability
    notes: tuple[Note, ...]
    spot_check: SpotCheck | None
    files: tuple[EvidenceFile, ...]


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Report)


def encode_report(report: Report) -> bytes:
    """Return the report as canonical JSON.

    Equal to RFC 8785 for what a report holds: texts, integers below 2^53 and keys of the Basic
    Multilingual Plane (the project file is checked for that).
    """
    return _encoder.encode(report)


def decode_report(data: bytes) -> Report:
    """Read a report; raises msgspec.ValidationError or DecodeError when it is none."""
    return _decoder.decode(data)
