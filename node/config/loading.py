"""Turn a TOML file, `XIBIAO_…` variables and command-line options into one checked `Config`.

Invariants: the command line wins over the environment, the environment over the file, the file over
the defaults; an unknown or misspelt setting is refused, never ignored; all faults are reported at
once, each with the place it came from; `redacted` holds no password.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_origin, get_type_hints

import msgspec
from msgspec.inspect import BoolType, IntType, LiteralType, Type, VarTupleType, type_info
from msgspec.structs import fields, replace

from node.config.checks import problems_of
from node.config.quantity import Duration, Size
from node.config.secret_url import SecretURL
from node.config.settings import Config, Database, Redis
from node.errors import InvalidInput, Problem

DEFAULT_LISTEN = "127.0.0.1:8080"
DEFAULT_HANDLE_LISTEN = "127.0.0.1:2641"
_PREFIX = "XIBIAO_"
# Variables of the command-line client. They begin alike and are no settings of a node.
_CLIENT_VARIABLES = frozenset({"XIBIAO_API_KEY", "XIBIAO_NODE", "XIBIAO_CONFIG"})

_S = TypeVar("_S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class _Setting:
    """A value as given: `source` names the place for the person who has to mend it."""

    value: object
    source: str
    from_environment: bool = False


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Config:
    """Read and check the effective configuration.

    `overrides` maps dotted names (`http.listen`) to values; None means "not given". Raises
    InvalidInput with one problem per fault, `field` being the dotted name.
    """
    problems: list[Problem] = []
    leaves = dict(_leaves(Config, ""))
    given: dict[str, _Setting] = {}
    if path is not None:
        given.update(_flatten(_read_toml(path), "", leaves, str(path)))
    given.update(_from_environment(environ))
    given.update(
        {name: _Setting(v, "command line") for name, v in overrides.items() if v is not None}
    )
    values: dict[str, object] = {}
    for name, setting in given.items():
        try:
            values[name] = _convert(name, setting, leaves)
        except InvalidInput as error:
            problems.extend(error.problems)
    config = _with_derived(_build(Config, "", values), problems)
    problems.extend(p for p in problems_of(config) if p.field not in {q.field for q in problems})
    if problems:
        raise InvalidInput(
            f"配置有 {len(problems)} 处错误",
            f"The configuration has {len(problems)} error(s)",
            code="invalid_configuration",
            problems=problems,
        )
    return config


def redacted(section: msgspec.Struct) -> dict[str, object]:
    """Return the settings as JSON-ready values, durations and sizes as text, passwords masked."""
    return {field.encode_name: _shown(getattr(section, field.name)) for field in fields(section)}


def _shown(value: object) -> object:
    match value:
        case msgspec.Struct():
            return redacted(value)
        case SecretURL():
            return value.masked()
        case Duration() | Size() | Path():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


def _leaves(section: type[msgspec.Struct], path: str) -> Iterator[tuple[str, object]]:
    """Yield (dotted name, type) of every setting; the type keeps its bounds."""
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        name, kind = path + field.encode_name, hints[field.name]
        if _is_section(kind):
            yield from _leaves(kind, name + ".")
        else:
            yield name, kind


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        zh = f"无法读取配置文件 {path}:{error.strerror}"
        raise InvalidInput(zh, f"Cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"配置文件 {path} 不是有效的 TOML(UTF-8):{error}",
            f"{path} is not valid TOML in UTF-8: {error}",
        ) from error


def _flatten(
    table: Mapping[str, object], path: str, leaves: Mapping[str, object], source: str
) -> Iterator[tuple[str, _Setting]]:
    for key, value in table.items():
        name = path + key
        if isinstance(value, dict) and any(leaf.startswith(name + ".") for leaf in leaves):
            yield from _flatten(value, name + ".", leaves, source)
        else:
            yield name, _Setting(value, source)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, _Setting]]:
    for variable, value in sorted(environ.items()):
        if variable.startswith(_PREFIX) and variable not in _CLIENT_VARIABLES:
            name = variable.removeprefix(_PREFIX).lower().replace("__", ".")
            yield name, _Setting(value, variable, from_environment=True)


def _convert(name: str, setting: _Setting, leaves: Mapping[str, object]) -> object:
    if name not in leaves:
        raise _unknown(name, setting, leaves)
    kind, value = leaves[name], setting.value
    try:
        if kind in _READ_FROM_TEXT:
            return _from_text(kind, value)
        if setting.from_environment and get_origin(kind) is tuple:
            value = [part.strip() for part in str(value).split(",") if part.strip()]
        return msgspec.convert(value, kind, strict=not setting.from_environment)
    except msgspec.ValidationError as error:
        want_zh, want_en = _expected(type_info(kind))
        zh, en = f"“{setting.value}” 不合要求,须为{want_zh}", f"{setting.value!r} is not {want_en}"
        raise _fault(name, setting, "not_valid", zh, en) from error
    except InvalidInput as error:
        raise _fault(name, setting, "not_valid", error.zh, error.en) from error


_READ_FROM_TEXT: Mapping[object, Callable[[str], object]] = {
    Duration: Duration.parse,
    Size: Size.parse,
    SecretURL: SecretURL,
    Path: Path,
}


def _from_text(kind: object, value: object) -> object:
    if not isinstance(value, str | Path):
        raise InvalidInput(
            f"“{value}” 须写成带引号的文本;时长和大小须带单位,例如 15s、32KiB",
            f"{value!r} must be text in quotes, times and sizes with a unit such as 15s, 32KiB",
        )
    return _READ_FROM_TEXT[kind](str(value))


def _expected(info: Type) -> tuple[str, str]:
    """Say in Chinese and English what a setting of this type looks like."""
    match info:
        case IntType(ge=ge, le=le):
            bounds = "".join(f" {sign} {n}" for sign, n in (("≥", ge), ("≤", le)) if n is not None)
            return f"整数{bounds}", f"a whole number{bounds}"
        case BoolType():
            return " true 或 false", "true or false"
        case LiteralType(values=values):
            names = ", ".join(map(str, values))
            return f"以下之一:{names}", f"one of {names}"
        case VarTupleType(item_type=item):
            zh, en = _expected(item)
            return f"列表,每项为{zh}", f"a list, each {en}"
        case _:
            return "文本", "text"


def _unknown(name: str, setting: _Setting, leaves: Mapping[str, object]) -> InvalidInput:
    nearest = difflib.get_close_matches(name, leaves, n=1, cutoff=0.0)[0]
    zh = f"没有这个配置项;最接近的是 {nearest}"
    en = f"there is no such setting; the nearest is {nearest}"
    return _fault(name, setting, "unknown_setting", zh, en, nearest)


def _fault(
    name: str, setting: _Setting, code: str, zh: str, en: str, suggestion: str = ""
) -> InvalidInput:
    place_zh, place_en = f"(来自 {setting.source})", f" (from {setting.source})"
    problem = Problem(name, code, zh + place_zh, en + place_en, suggestion)
    return InvalidInput(zh, en, problems=[problem])


def _build(section: type[_S], path: str, values: Mapping[str, object]) -> _S:
    hints = get_type_hints(section)
    parts: dict[str, object] = {}
    for field in fields(section):
        name, kind = path + field.encode_name, hints[field.name]
        if _is_section(kind):
            parts[field.name] = _build(kind, name + ".", values)
        elif name in values:
            parts[field.name] = values[name]
    return section(**parts)


def _with_derived(config: Config, problems: list[Problem]) -> Config:
    """Fill in what depends on others: where to listen, the default database, the passwords."""
    if not config.http.listen and {"api", "resolver"} & set(config.roles):
        config = replace(config, http=replace(config.http, listen=DEFAULT_LISTEN))
    if "resolver" not in config.roles or config.handle.listen == "off":
        config = replace(config, handle=replace(config.handle, listen=""))
    elif not config.handle.listen:
        config = replace(config, handle=replace(config.handle, listen=DEFAULT_HANDLE_LISTEN))
    url = config.database.url or SecretURL(f"sqlite:///{config.data_dir.absolute() / 'xibiao.db'}")
    config = replace(config, database=replace(config.database, url=url))
    for section in ("database", "redis"):
        part: Database | Redis = getattr(config, section)
        try:
            config = replace(config, **{section: _with_password(part)})
        except InvalidInput as error:
            problem = Problem(f"{section}.password_file", "password", error.zh, error.en)
            problems.append(problem)
    return config


def _with_password(part: Database | Redis) -> Database | Redis:
    if not part.password_file:
        return part
    try:
        password = Path(part.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        zh, en = "无法读取口令文件", "The password file cannot be read"
        raise InvalidInput(zh, en) from error
    return replace(part, url=part.url.with_password(password))
