"""The page on the reference secondary node tells of every fault and option there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from admin.cli.secondary import secondary
from sync.secondary.faults import AnswerKind, parse_script

PAGE = (Path(__file__).parents[2] / "docs" / "secondary-node.md").read_text("utf-8")


def test_every_kind_of_fault_is_told() -> None:
    table = PAGE.partition("| kind |")[2]
    told = set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE))
    assert told == {*get_args(AnswerKind), "refuse"}


def test_the_script_on_the_page_is_one() -> None:
    (script,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert parse_script(script).fault[0].kind == "lose"


@pytest.mark.parametrize("line", re.findall(r"^xibiao secondary (.*?)(?:\s+#.*)?$", PAGE, re.M))
def test_commands_on_the_page_exist(line: str) -> None:
    words = line.split()
    options = {o for parameter in secondary.params for o in parameter.opts}
    assert {word for word in words[:4] if word.startswith("--")} <= options
    assert all(word.startswith("--") or word in secondary.commands for word in words[2:3])
