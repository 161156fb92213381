"""Which log this node may continue, and with which keys: settled before anything is written.

A node with another data directory on the same database would sign the log with another key and tag
identifiers with another secret. So the keys must be those that the register was begun with: the
newest checkpoint must verify with ours, and the tag key must have the digest noted at first start.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from node.config import Config
from node.domain.checkpoint import parse, verify_checkpoint
from node.domain.signed_note import Ed25519Signer, parse_note, parse_verifier_key
from node.errors import IntegrityFailure, ProofInvalid, WrongState
from node.registration.keys_on_disk import NodeKeys, create_keys, load_keys
from node.storage import log_queries
from node.storage.engine import Database


def key_folder(config: Config) -> Path:
    """Return where the node's own secrets lie."""
    return config.data_dir / "keys"


async def node_identity(database: Database, config: Config) -> tuple[NodeKeys, Ed25519Signer]:
    """Return the node's keys and the signer of its log; keys are made for a new register only.

    Raises Unavailable when the keys of an existing log are missing, IntegrityFailure when they are
    another log's, WrongState when the configuration names the log otherwise than it was signed.
    """
    async with database.read() as scope:
        checkpoint = (await log_queries.state(scope)).checkpoint
    folder = key_folder(config)
    keys = load_keys(folder) if checkpoint else create_keys(folder)
    signer = _signer(keys, checkpoint, config.log.origin)
    digest = hashlib.sha256(keys.identifier_tag).digest()
    async with database.write() as scope:
        noted = await log_queries.claim_tag_key(scope, digest)
    if noted != digest:
        raise _other_keys()
    return keys, signer


def _signer(keys: NodeKeys, checkpoint: bytes, configured: str) -> Ed25519Signer:
    if not checkpoint:
        derived = Ed25519Signer.from_seed("xibiao", keys.log_seed).key_id.hex()
        return Ed25519Signer.from_seed(configured or f"xibiao.local/log/{derived}", keys.log_seed)
    origin = parse(parse_note(checkpoint).text).origin
    if configured and configured != origin:
        raise WrongState(
            f"日志名称已定为 {origin},不能改为 {configured}",
            f"This log is named {origin} for ever and cannot become {configured}",
            code="origin_fixed",
        )
    signer = Ed25519Signer.from_seed(origin, keys.log_seed)
    own_key = parse_verifier_key(signer.verifier_key())
    try:
        verify_checkpoint(checkpoint, origin=origin, log_keys=[own_key])
    except ProofInvalid as error:
        raise _other_keys() from error
    return signer


def _other_keys() -> IntegrityFailure:
    return IntegrityFailure(
        "数据目录中的密钥不属于此登记库,请检查数据目录或从备份恢复",
        "The keys in the data directory are not this register's; check it or restore the keys",
        code="other_keys",
    )
