"""The README's commands work as printed, in the order a newcomer types them.

Every fenced block marked `sh` is executed, in one bash session, in a copy of the checkout that
shares its `.venv`; blocks marked `console` show output and are not. The block `make run` is started
in the background and awaited by its `ready` line; the default port 8080 is exchanged for a free one
everywhere. The block `make test` is left out, being what runs this test.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.server_process import free_port

CHECKOUT = Path(__file__).parents[2]
DEFAULT_ADDRESS = "127.0.0.1:8080"
TIME_LIMIT_S = 300.0

_SH_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# `tail` ends with the node, so that a node that fails to start ends the wait, and with it the run.
_START_NODE = """\
make run >run.log 2>&1 &
node=$!
trap 'kill $node 2>/dev/null; wait $node || true' EXIT
if ! grep -q -m 1 '^ready ' < <(tail -n +1 -f --pid=$node run.log); then
  cat run.log
  exit 1
fi
"""


def executable_blocks(markdown: str) -> list[str]:
    """Extract the `sh` blocks that are to be executed, in order."""
    blocks = [found.group(1) for found in _SH_BLOCK.finditer(markdown)]
    return [block for block in blocks if block.strip() != "make test"]


def session_script(blocks: Sequence[str], address: str) -> str:
    """Join blocks to one script that ends at the first failure; mark which blocks were begun."""
    script = ["set -euo pipefail"]
    for block in blocks:
        is_node = block.strip() == "make run"
        script.append(f"printf '%s\\n' {_quoted('>>> ' + block.strip())}")
        script.append(_START_NODE if is_node else block.replace(DEFAULT_ADDRESS, address))
    return "\n".join(script)


def _not_copied(directory: str, names: list[str]) -> set[str]:
    """Name what a clone would not have: hidden directories, data at the top, and bytecode."""
    if Path(directory) == CHECKOUT:
        return {name for name in names if name.startswith(".") or name == "data"}
    return {"__pycache__"}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def run_session(script: str, directory: Path, address: str) -> tuple[int, str]:
    """Run a script with bash in `directory`; give its exit status and all it printed.

    What it started, and left behind, is killed. Raises subprocess.TimeoutExpired after 5 minutes.
    """
    environment = os.environ | {
        "XIBIAO_HTTP__LISTEN": address,
        "XIBIAO_HANDLE__LISTEN": "127.0.0.1:0",
        "XIBIAO_NODE": f"http://{address}",
    }
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as session:
        try:
            printed, _ = session.communicate(timeout=TIME_LIMIT_S)
        finally:
            _kill_group(session.pid)
    return session.returncode, printed


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port(16_000)}"


def test_commands_of_the_readme_work_in_order(tmp_path: Path, address: str) -> None:
    # Without this, `make run` in the copy could install the copy into the .venv it borrows.
    subprocess.run([CHECKOUT / "scripts" / "setup"], check=True)
    copy = tmp_path / "xibiao"
    shutil.copytree(CHECKOUT, copy, ignore=_not_copied)
    (copy / ".venv").symlink_to(CHECKOUT / ".venv")
    blocks = executable_blocks((copy / "README.md").read_text("utf-8"))
    status, printed = run_session(session_script(blocks, address), copy, address)
    assert status == 0, printed


def test_readme_shows_the_two_commands() -> None:
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    commands = {found.group(1).strip() for found in _SH_BLOCK.finditer(readme)}
    assert {"make run", "make test"} <= commands


def test_only_sh_blocks_other_than_make_test_are_executed() -> None:
    markdown = "```sh\nmake test\n```\n```console\n$ no\n```\ntext\n```sh\necho a\necho b\n```\n"
    assert executable_blocks(markdown) == ["echo a\necho b\n"]


def test_failing_command_ends_the_session_and_shows_its_block(tmp_path: Path) -> None:
    script = session_script(["x=1\n", "test $x = '2'\n", "echo unreached\n"], DEFAULT_ADDRESS)
    status, printed = run_session(script, tmp_path, DEFAULT_ADDRESS)
    assert status != 0
    assert printed == ">>> x=1\n>>> test $x = '2'\n"


def test_node_runs_in_the_background_of_later_blocks(tmp_path: Path, address: str) -> None:
    (tmp_path / "Makefile").write_text(
        "run:\n\t@echo ready http=http://$$XIBIAO_HTTP__LISTEN\n\t@exec tail -f /dev/null\n"
    )
    script = session_script(["make run\n", "echo http://127.0.0.1:8080/\n"], address)
    status, printed = run_session(script, tmp_path, address)
    assert status == 0
    assert printed.endswith(f">>> echo http://127.0.0.1:8080/\nhttp://{address}/\n")
    assert f"ready http=http://{address}" in (tmp_path / "run.log").read_text()


def test_node_that_does_not_start_ends_the_session_with_its_output(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("run:\n\t@echo port in use; exit 1\n")
    script = session_script(["make run\n", "echo unreached\n"], DEFAULT_ADDRESS)
    status, printed = run_session(script, tmp_path, DEFAULT_ADDRESS)
    assert status != 0
    assert "port in use" in printed
    assert "unreached" not in printed
