"""The key that makes pseudonyms of clients, and seals what the database keeps of counting.

`<data>/keys/tally_window.key`, 32 bytes, mode 0600, made when the first period is counted. Lost:
clients of later periods cannot be told to be those of earlier ones, so counting stops until it is
restored. Stolen: addresses can be guessed behind the pseudonyms. It goes to auditors on purpose.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from node.counting.tally_folder import file_errors
from node.errors import Unavailable

NAME = "tally_window.key"
KEY_BYTES = 32


def load_window_key(folder: Path) -> bytes:
    """Return the key; raise Unavailable when it is missing or damaged."""
    path = folder / NAME
    try:
        key = path.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"缺少密钥文件 {path},请从备份恢复", f"Key file {path} is missing; restore it"
        ) from error
    if len(key) != KEY_BYTES:
        raise Unavailable(f"密钥文件 {path} 已损坏", f"Key file {path} is damaged")
    return key


def create_window_key(folder: Path) -> bytes:
    """Return the key, making it if there is none; two who make it at once get the same."""
    path = folder / NAME
    if not path.exists():
        draft = folder / f"{NAME}.{secrets.token_hex(8)}.new"
        with file_errors(path):
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # Unlike renaming, linking never replaces what another process was faster with.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
    return load_window_key(folder)
