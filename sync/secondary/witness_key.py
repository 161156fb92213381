"""The witness's own key: a 32-byte seed in `<data>/keys/witness.ed25519`, mode 0600.

Invariants: it is made once, for an empty file of records, and appears complete or not at all. A
witness that lost its memory must not go on under its name (it could cosign a second log), so a key
without its file of records is refused, as is a file of records without its key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from node.domain.signed_note import Ed25519Cosigner
from node.errors import IntegrityFailure, Unavailable

SEED_BYTES = 32


def key_path(data_dir: Path) -> Path:
    """Return where the key lies."""
    return data_dir / "keys" / "witness.ed25519"


def require_memory(data_dir: Path, records: Path) -> None:
    """Refuse (IntegrityFailure) to start a witness whose file of records is gone."""
    if key_path(data_dir).exists() and not records.exists():
        raise IntegrityFailure(
            f"见证密钥仍在而数据文件 {records} 已丢失:该见证者须停用,请移走密钥后以新密钥重新开始",
            f"The witness key is there but {records} is lost: this witness must be retired."
            " Move the key away to begin as a new one",
            code="witness_memory_lost",
        )


def load_or_create(
    data_dir: Path, *, is_new: bool, random_bytes: Callable[[int], bytes]
) -> Ed25519Cosigner:
    """Return the witness, named after its key.

    `is_new`: nothing was ever cosigned, so a key may be made. Raises Unavailable when the key is
    missing otherwise, or damaged.
    """
    path = key_path(data_dir)
    if not path.exists():
        if not is_new:
            raise Unavailable(
                f"缺少见证密钥 {path},请从备份恢复",
                f"The witness key {path} is missing; restore it from backup",
            )
        _create(path, random_bytes(SEED_BYTES))
    seed = path.read_bytes()
    if len(seed) != SEED_BYTES:
        raise Unavailable(f"见证密钥 {path} 已损坏", f"The witness key {path} is damaged")
    derived = Ed25519Cosigner.from_seed("xibiao", seed).key_id.hex()
    return Ed25519Cosigner.from_seed(f"xibiao.local/witness/{derived}", seed)


def _create(path: Path, seed: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(seed)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
