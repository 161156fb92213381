"""Answers that are no message end the session in words, whichever call they belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import Unavailable
from sync.peer import Health, TemplateNotice
from sync.relay.session import SessionSettings
from sync.secondary.faults import parse_script
from tests.builders import register_at
from tests.link import Pair, utc_now

GARBAGE = '[[fault]]\nkind = "garbage"\ncall = "{call}"'
CALLS = ("OpenSession", "PutTemplate", "Heartbeat", "Reconcile", "WithdrawRecords", "RetryItems",
         "SyncLog")  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_is_no_message_is_named_so(tmp_path: Path, call: str) -> None:
    async with register_at(f"sqlite:///{tmp_path}/xibiao.db", clock=utc_now) as register:
        pair = Pair(register, tmp_path / "peer", SessionSettings())
        await pair.start_secondary()
        await pair.register_and_log([1])
        pair.faults.play(parse_script(GARBAGE.format(call=call)))
        with pytest.raises(Unavailable) as refused:
            await ask(pair, call)
        await pair.stop_secondary()
    assert refused.value.code == "peer_garbage"


async def ask(pair: Pair, call: str) -> None:
    """Make a call of a session of our own."""
    items = await pair.ledger.items(0, 1)
    async with pair.link() as link:
        match call:
            case "PutTemplate":
                await link.put_template(TemplateNotice("t", 1, "batch", b"{}", "0" * 64))
            case "Heartbeat":
                await link.heartbeat(Health("normal", 0, 0, 0))
            case "Reconcile":
                await link.compare("", 0, 1, (), ("0",))
            case "WithdrawRecords":
                await link.withdraw(["88.111.2/A"], "test")
            case "RetryItems":
                await link.retry(items)
            case "SyncLog":
                await link.send(1, items)
                async for _ in link.answers():
                    pytest.fail("an answer was read")
