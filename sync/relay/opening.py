"""The beginning of a session: do both sides speak of one log, and from where does it go on?

Four things can be found. The peer has what we think it has: go on. It has more: acknowledgements
were lost, and what became of those items is asked again. It has less: it was restored from a
backup, and gets the rest anew. It has another log: nothing is sent, and an alarm stands
(`equivocation`).
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from node.domain.merkle_tree import verify_consistency
from node.domain.signed_note import Verifier
from node.errors import IntegrityFailure, ProofInvalid
from node.storage.position_queries import PeerPosition
from sync.peer import Link
from sync.relay.equivocation import OTHER_LOG, name_other_log
from sync.relay.ledger import Alarm, Ledger

_log = structlog.get_logger(__name__)
ROLLED_BACK, OTHER_COSIGNER = "peer_rolled_back", "cosigner_key"


async def settle_position(
    link: Link, ledger: Ledger, log_key: Verifier, before: PeerPosition
) -> PeerPosition:
    """Return where to go on; raises IntegrityFailure when the peer holds another log.

    `log_key` verifies what our log signed; `before` was known before the session was opened: what
    another relay had acknowledged since, the peer could not tell yet.
    """
    known = await _with_pinned_key(link, ledger, before)
    if not link.capabilities.holds_log:
        await ledger.move(before, known)
        return known
    held = link.position
    await _require_same_log(link, ledger, log_key)
    if held.size < known.acked_size:
        _log.warning("peer_rolled_back", held=held.size, acknowledged=known.acked_size)
        await ledger.raise_alarm(
            Alarm(
                ROLLED_BACK,
                f"二级节点数据回退:应有 {known.acked_size} 条,实有 {held.size} 条,正在补发",
                f"The secondary node went back from {known.acked_size} to {held.size} leaves;"
                " they are being sent again",
            )
        )
        known = replace(known, acked_size=held.size)
    elif held.size > known.acked_size:
        await _ask_again(link, ledger, known.acked_size, held.size)
        known = replace(known, acked_size=held.size)
    known = replace(known, cosigned_size=min(held.cosigned_size, known.acked_size))
    await ledger.move(before, known)
    return known


async def _with_pinned_key(link: Link, ledger: Ledger, known: PeerPosition) -> PeerPosition:
    if known.cosigner_key and known.cosigner_key != link.cosigner_key:
        await ledger.raise_alarm(
            Alarm(
                OTHER_COSIGNER,
                "二级节点的会签公钥已变更,须人工确认后方可继续同步",
                "The secondary node's cosigner key changed; a person must confirm it",
                link.cosigner_key.encode(),
            )
        )
        raise IntegrityFailure(code=OTHER_COSIGNER)
    return replace(known, cosigner_key=link.cosigner_key)


async def _require_same_log(link: Link, ledger: Ledger, log_key: Verifier) -> None:
    held, ours = link.position, await ledger.log_state()
    try:
        if held.size > ours.size:
            raise ProofInvalid(code=OTHER_LOG)
        path = await ledger.consistency(held.size, ours.size)
        verify_consistency(
            old_size=held.size,
            old_root=held.root,
            new_size=ours.size,
            new_root=ours.root,
            path=path,
        )
    except ProofInvalid as error:
        alarm = await name_other_log(link, ledger, log_key)
        await ledger.raise_alarm(alarm)
        raise IntegrityFailure(alarm.zh, alarm.en, code=alarm.kind) from error


async def _ask_again(link: Link, ledger: Ledger, first: int, end: int) -> None:
    """Learn what became of items whose acknowledgement was lost; asking again changes nothing."""
    step = link.capabilities.max_batch
    for start in range(first, end, step):
        items = await ledger.items(start, min(start + step, end))
        known = [item for item in items if item.opening is not None]
        await ledger.write_retried(known, await link.retry(known))
