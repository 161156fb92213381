"""The node's own secrets, one file each under `<data>/keys`, mode 0600, made at first start.

- `log.ed25519`   32-byte seed that signs checkpoints. Lost: the log can be read and verified but
                  not continued under its name. Stolen: the thief can sign a second log.
- `identifier_tag.key`  keys the identifier tags of public leaves. Stolen: guessed identifiers can
                  be found in the log. It goes to auditors on purpose.
- `cache.key`     authenticates Redis entries. Lost: the cache is cold.
- `serial.key`    permutes minted serial numbers. Lost: numbering goes on in another order.

`handle_keys` and `node.counting.window_key` keep their own beside them.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from node.errors import Unavailable

KEY_BYTES = 32
_NAMES = ("log.ed25519", "identifier_tag.key", "cache.key", "serial.key")


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The four secrets, 32 bytes each."""

    log_seed: bytes
    identifier_tag: bytes
    cache: bytes
    serial: bytes

    def __repr__(self) -> str:
        return "NodeKeys(…)"


def load_keys(folder: Path) -> NodeKeys:
    """Read the node's keys; raise Unavailable when one is missing or damaged.

    Keys are never made anew for a register that has a log: that would sign another log under the
    same name and cut the register off from its own tags. Only `create_keys` makes them.
    """
    return NodeKeys(*(_read(folder / name) for name in _NAMES))


def create_keys(folder: Path) -> NodeKeys:
    """Make the keys of a new register and return them; keys that are there already are read."""
    if not folder.exists():
        _create(folder)
    return load_keys(folder)


def _create(folder: Path) -> None:
    # A name of its own: processes of one node are often started for the first time together.
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(8)}.new")
    draft.mkdir(mode=0o700, parents=True)
    for name in _NAMES:
        handle = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    try:
        # The folder appears complete or not at all, and a full one is never replaced.
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
        if not folder.exists():
            raise


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"缺少密钥文件 {path},请从备份恢复",
            f"Key file {path} is missing; restore it from backup",
        ) from error
    if len(data) != KEY_BYTES:
        raise Unavailable(f"密钥文件 {path} 已损坏", f"Key file {path} is damaged")
    return data
