"""When both sides do not speak of one log: what is found is named, with the notes that prove it.

Two checkpoints that our key signed and that do not fit each other prove, to whoever knows the key,
that it signed two histories. So the evidence of such an alarm is both notes, and the peer is given
ours, that it may keep both too. None of these alarms is cleared by a recovery: what was signed
stays signed, and a person must look. While one stands, nothing of the log is published
(`node.api.log_reader`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

from node.domain.checkpoint import Checkpoint, verify_checkpoint
from node.domain.signed_note import Verifier
from node.errors import IntegrityFailure, XibiaoError
from node.storage.log_queries import LogState
from sync.peer import CheckpointAnswer, CheckpointCode, Item, Link
from sync.relay.ledger import Alarm, Ledger

OTHER_LOG, WENT_BACK, REFUSED = "peer_holds_other_log", "log_went_back", "witness_refused"
FORGED, MISSING = "leaf_forged", "leaf_missing"
# Between the notes of an alarm's evidence; no line of a checkpoint reads so.
SEPARATOR = b"-----\n"
OFFER_TIMEOUT_S = 5.0
_REFUSED_ZH = {
    CheckpointCode.BAD_SIGNATURE: "签名无效",
    CheckpointCode.OLDER: "检查点早于已会签的检查点",
    CheckpointCode.INCONSISTENT: "检查点与其保存的日志不一致",
}


def both(ours: bytes, theirs: bytes) -> bytes:
    """Return two notes as the evidence of an alarm; `theirs` b"": only ours is known."""
    return ours + SEPARATOR + theirs if theirs else ours


async def name_other_log(link: Link, ledger: Ledger, log_key: Verifier) -> Alarm:
    """Return what to tell of a peer whose leaves are not ours, once it has our checkpoint too."""
    held, ours = link.position, await ledger.log_state()
    proof = both(ours.checkpoint, held.cosigned_note)
    theirs = _signed_by_us(held.cosigned_note, log_key)
    await _let_the_peer_keep(link, ours)
    if theirs is not None and theirs.size > ours.size:
        return Alarm(
            WENT_BACK,
            f"本节点日志大小为 {ours.size},而二级节点已会签本节点签名的检查点(大小 {theirs.size}):"
            "数据库可能来自旧备份或另有一份历史,已停止同步与发布",
            f"Our log has {ours.size} leaves, but the secondary node cosigned a checkpoint of"
            f" {theirs.size} that our key signed: the database is an old backup, or there is a"
            " second history; nothing is sent or published",
            proof,
        )
    is_ours = theirs is not None and theirs.root == await ledger.reports.root_at(theirs.size)
    return Alarm(
        OTHER_LOG,
        f"二级节点持有的日志与本节点不一致(其大小 {held.size},本节点 {ours.size}),已停止同步与发布:"
        + ("" if theirs is None else _blame_zh(theirs.size, is_ours)),
        f"The secondary node holds another log (size {held.size}, here {ours.size}); nothing is"
        " sent or published" + ("" if theirs is None else _blame_en(theirs.size, is_ours)),
        proof,
    )


def _blame_zh(size: int, is_ours: bool) -> str:
    if is_ours:
        return f"其会签的检查点(大小 {size})与本节点一致,此后的叶不一致"
    return f"本节点密钥对大小 {size} 签过两份不同的历史,两份检查点已留存"


def _blame_en(size: int, is_ours: bool) -> str:
    if is_ours:
        return f". What it cosigned ({size}) fits ours; leaves after it do not"
    return f". Our key signed two histories at size {size}; both checkpoints are kept"


def _signed_by_us(note: bytes, log_key: Verifier) -> Checkpoint | None:
    try:
        return verify_checkpoint(note, origin=log_key.name, log_keys=[log_key])
    except XibiaoError:
        return None  # nothing was cosigned, or the peer shows what proves nothing


async def _let_the_peer_keep(link: Link, ours: LogState) -> None:
    """Offer our checkpoint to be refused: a witness keeps what does not fit (C2SP tlog-witness).

    It can judge sizes that it holds; a larger one it would only find leaves missing for.
    """
    if not ours.checkpoint or ours.size > link.position.size:
        return
    with suppress(XibiaoError, TimeoutError):
        async with asyncio.timeout(OFFER_TIMEOUT_S):
            await link.offer(ours.checkpoint, link.position.cosigned_size, ())
            async for _answer in link.answers():
                return


def refusal_alarm(offered: LogState, answer: CheckpointAnswer) -> Alarm:
    """Return what to tell of a checkpoint that the peer does not cosign."""
    reason = _REFUSED_ZH.get(answer.code, answer.code.value)
    return Alarm(
        REFUSED,
        f"二级节点拒绝会签大小为 {offered.size} 的检查点:{reason}",
        f"The secondary node refuses the checkpoint of size {offered.size}:"
        f" {answer.code.value}. {answer.message[:200]}",
        both(offered.checkpoint, answer.held),
    )


async def checked_items(ledger: Ledger, first: int, end: int) -> Sequence[Item]:
    """Return the items first … end - 1 of our log, whole and as the signed tree has them.

    What is amiss raises an alarm that names the leaf, and IntegrityFailure: once a peer holds a
    wrong leaf, its copy of the log can only be mended there.
    """
    items, hashes = await ledger.items_and_hashes(first, end)
    for index, item in zip(range(first, end), items, strict=False):
        if item.index != index:
            raise await _stopped(ledger, _missing(index))
        place = 32 * (index - first)
        if sha256(b"\x00" + item.leaf).digest() != hashes[place : place + 32]:
            raise await _stopped(ledger, _forged(index, item.leaf))
    if len(items) != end - first:
        raise await _stopped(ledger, _missing(first + len(items)))
    return items


async def _stopped(ledger: Ledger, alarm: Alarm) -> IntegrityFailure:
    await ledger.raise_alarm(alarm)
    return IntegrityFailure(alarm.zh, alarm.en, code=alarm.kind)


def _missing(index: int) -> Alarm:
    return Alarm(
        MISSING,
        f"数据库缺少日志第 {index} 号叶,已停止同步与发布,请核查(xibiao audit)",
        f"Leaf {index} of the log is missing in the database; nothing is sent or published"
        " (xibiao audit)",
    )


def _forged(index: int, leaf: bytes) -> Alarm:
    return Alarm(
        FORGED,
        f"数据库中日志第 {index} 号叶与已签名的树不符,已停止同步与发布,请核查(xibiao audit)",
        f"Leaf {index} in the database is not that of the signed tree; nothing is sent or"
        " published (xibiao audit)",
        leaf,
    )
