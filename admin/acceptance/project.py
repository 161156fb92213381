"""The project file: names, dates, thresholds and texts of one project (TOML).

What the log cannot know: who applies, under which contract, what was promised. Invariants: an
unknown or misspelt entry is refused, never ignored; a threshold is not below what the guideline
asks unless the file says so in words; all faults are named at once.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

import msgspec

from admin.acceptance.documents.entries import (
    LIMITED,
    LONGEST,
    known_indicators,
    known_texts,
)
from admin.acceptance.report import Project, Thresholds
from node.errors import InvalidInput, Problem

TEMPLATE = "project.toml"
KEY_BYTES = 32
MAX_TEXT = 2_000
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BELOW_BMP = 0x1_0000


class _Auditor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    public_key: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    name: str
    applicant: str
    category: str
    contract: str
    licence: str
    prefixes: tuple[str, ...]
    sln: str
    applied_on: str = ""
    began_on: str = ""
    ended_on: str = ""
    thresholds: Thresholds = Thresholds()
    auditor: _Auditor = _Auditor()
    forms: dict[str, str] = {}
    indicators: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A project as its file has it; `auditor_key` is an X25519 public key, b"" when none is set."""

    project: Project
    auditor_key: bytes


def commented_project() -> str:
    """Return a project file to begin with, each entry explained."""
    return files("admin.acceptance").joinpath(TEMPLATE).read_text("utf-8")


def parse_project(text: str) -> ProjectFile:
    """Read a project file; raise InvalidInput naming every fault."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"项目文件有误:{error}", f"The project file is malformed: {error}"
        ) from error
    problems = list(_faults(found))
    if problems:
        raise InvalidInput("项目文件有误", "The project file has errors", problems=problems)
    names = msgspec.structs.asdict(found)
    key = names.pop("auditor").public_key
    return ProjectFile(Project(**names), _decoded_key(key) or b"")


def _faults(found: _File) -> Iterator[Problem]:
    if not _ID.fullmatch(found.id):
        yield _problem("id", "只用小写字母、数字和连字符", "lower-case letters, digits, hyphens")
    for name in ("name", "applicant", "category", "contract", "licence", "sln"):
        if not getattr(found, name).strip():
            yield _problem(name, "不得为空", "must not be empty")
    if not found.prefixes:
        yield _problem("prefixes", "至少一个前缀", "at least one prefix")
    for name in ("applied_on", "began_on", "ended_on"):
        if not _is_date(getattr(found, name)):
            yield _problem(name, "日期写作 2026-12-31", "a date reads 2026-12-31")
    limits = found.thresholds
    for name, value in msgspec.structs.asdict(limits).items():
        if not 0 < value < 1 << 53:
            yield _problem(f"thresholds.{name}", "须为正整数", "must be a positive integer")
    if not limits.lag_p95_ms <= limits.lag_p99_ms <= limits.lag_max_ms:
        yield _problem("thresholds", "时延限值须递增", "limits of the lag must ascend")
    if found.auditor.public_key and _decoded_key(found.auditor.public_key) is None:
        yield _problem("auditor.public_key", "须为 base64 的 32 字节", "32 bytes in base64")
    for table, known in (("forms", known_texts()), ("indicators", known_indicators())):
        for key, text in getattr(found, table).items():
            if key not in known:
                yield _problem(f"{table}.{key}", "没有这一项", "there is no such entry")
            if key in LIMITED and len(text.strip()) > LONGEST:
                zh, en = f"最多 {LONGEST} 字", f"at most {LONGEST} characters"
                yield _problem(f"{table}.{key}", f"有 {len(text.strip())} 字，{zh}", en)
            if len(text) > MAX_TEXT or any(ord(character) >= _BELOW_BMP for character in key):
                yield _problem(f"{table}.{key}", "过长或名称有误", "too long, or a bad name")


def _problem(field: str, zh: str, en: str) -> Problem:
    return Problem(field, "project_file", zh, en)


def _is_date(text: str) -> bool:
    try:
        return text == "" or date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _decoded_key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
