"""What the Handle faces keep beside the node's keys in `<data>/keys`, mode 0600.

- `handle_secrets.key`  64 bytes that seal the secret keys (HS_SECKEY) of Handle administrators in
                  the register. Lost: these must be set again with `xibiao prefix admin`. Stolen
                  together with the database: they can be read.
- `handle_site.pem`     RSA key pair of the site; its public half is in the site's data. Signs
                  answers that a client wants certified and the set-up of sessions. Lost: another
                  is made, and clients must fetch the site's data again. Stolen: the thief can pass
                  for this site.
- `handle_site.serial`  serial number of the site's data and the digest of what it stands for.

Unlike the keys of the log these are made whenever they are missing: a node of an earlier release
has none, and no signature made in the past depends on them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from node.errors import Unavailable

SECRETS_KEY_BYTES = 64
SITE_KEY_BITS = 2048  # What deployed clients verify fastest, and none refuses.
LAST_SERIAL = 0xFFFE  # 0xFFFF says "unknown" in messages.


@dataclass(frozen=True, slots=True)
class HandleKeys:
    """The key that seals secrets, and the key pair of the site."""

    secrets: bytes
    site: RSAPrivateKey

    def __repr__(self) -> str:
        return "HandleKeys(…)"


def open_handle_keys(folder: Path) -> HandleKeys:
    """Read the keys of the Handle faces, making those that are missing; raise Unavailable."""
    sealing = _read_or_make(
        folder / "handle_secrets.key", lambda: secrets.token_bytes(SECRETS_KEY_BYTES)
    )
    if len(sealing) != SECRETS_KEY_BYTES:
        raise _damaged(folder / "handle_secrets.key")
    path = folder / "handle_site.pem"
    try:
        site = load_pem_private_key(_read_or_make(path, _new_site_key), password=None)
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(site, RSAPrivateKey):
        raise _damaged(path)
    return HandleKeys(sealing, site)


def site_serial(folder: Path, description: bytes) -> int:
    """Return the serial number, 1 … 65534, of site data; `description`: all of it but the number.

    The number is kept with a digest of the description and grows by one whenever that changes, so
    clients that hold older data see that there is newer. Raises Unavailable.
    """
    path = folder / "handle_site.serial"
    digest = hashlib.sha256(description).hexdigest()
    number, known = 0, ""
    with contextlib.suppress(FileNotFoundError, ValueError):
        text, _, known = path.read_text("ascii").strip().partition(" ")
        number = int(text)
    if known == digest and 1 <= number <= LAST_SERIAL:
        return number
    number = number % LAST_SERIAL + 1
    with _file_errors(path):
        os.replace(_draft(path, f"{number} {digest}\n".encode("ascii")), path)
    return number


def _new_site_key() -> bytes:
    key = generate_private_key(public_exponent=65_537, key_size=SITE_KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what a file holds; two processes that make it at once both get the one that stays."""
    with _file_errors(path):
        if not path.exists():
            draft = _draft(path, make())
            # Unlike renaming, linking never replaces what another process was faster with.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_bytes()


def _draft(path: Path, data: bytes) -> Path:
    """Write data through to the disk under a name of its own, readable by the owner alone."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


@contextlib.contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"无法读写密钥文件 {path}", f"Key file {path} can be neither read nor made"
        ) from error


def _damaged(path: Path) -> Unavailable:
    return Unavailable(
        f"密钥文件 {path} 已损坏,请从备份恢复",
        f"Key file {path} is damaged; restore it from backup",
    )
