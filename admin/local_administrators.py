"""Make Handle administrators of the prefixes of a data directory, beside a running node or without.

An administrator is a key at an index of a handle of this node. His record is registered like any
other; the prefix then names him among its administrators, with every right below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from admin.first_start import publish_templates
from admin.local_keys import with_register
from admin.node_identity import key_folder
from admin.parts import build_handle_register, build_register, utc_now
from node.config import Config
from node.domain.handle_record import ALL_RIGHTS, Administrator
from node.domain.handle_value import ADMIN_READ, ADMIN_WRITE, HandleReference, HandleValue
from node.domain.identifiers.handle import parse_prefix
from node.errors import InvalidInput, NotFound
from node.registration.handle_keys import open_handle_keys
from node.registration.handle_records import HandleRecords
from node.registration.register import moment
from node.storage import prefix_queries
from node.storage.engine import Database
from node.telemetry import Metrics
from resolver.handle.keys import decode_public, encode_public
from resolver.handle.predefined import HS_ADMIN, HS_PUBKEY, HS_SECKEY, Admin

# Who makes administrators here is whoever may use the data directory.
BY = "local"
DESCRIPTION_INDEX, ADMIN_INDEX = 1, 100
_DESCRIPTION = "Handle 管理员 / Handle administrator"


def make_with_secret(
    config: Config, prefix: str, *, handle: str, index: int, secret: bytes
) -> Mapping[str, object]:
    """Let whoever knows `secret` administer the handles below a prefix as `index:handle`."""
    key = HandleValue(index, HS_SECKEY, secret, permissions=ADMIN_READ | ADMIN_WRITE)
    return _make(config, prefix, handle, key)


def make_with_public_key(
    config: Config, prefix: str, *, handle: str, index: int, public_key: bytes
) -> Mapping[str, object]:
    """Let the owner of a key pair administer the handles below a prefix as `index:handle`.

    `public_key`: PEM, or a public key record of the Handle protocol (`pubkey.bin`).
    """
    return _make(config, prefix, handle, HandleValue(index, HS_PUBKEY, _key_record(public_key)))


def _make(config: Config, prefix: str, handle: str, key: HandleValue) -> Mapping[str, object]:
    if key.index in (DESCRIPTION_INDEX, ADMIN_INDEX):
        raise InvalidInput(
            f"索引 {key.index} 另有用途,请另选(常用 300)",
            f"Index {key.index} holds another value; choose another, 300 is usual",
        )
    wanted = parse_prefix(prefix)

    async def make(database: Database) -> str:
        async with database.write() as scope:
            await publish_templates(scope, moment(utc_now))
        register = await build_register(config, database, Metrics(), utc_now)
        await register.directory.refresh()
        if not register.directory.serves(wanted):
            raise NotFound(f"没有前缀 {wanted}", f"No such prefix: {wanted}")
        keys = open_handle_keys(key_folder(config))
        records = build_handle_register(register, keys, _see_nothing)
        canonical = records.canonical(handle)
        await _put_key(records, canonical, key)
        administrator = Administrator(canonical, key.index, ALL_RIGHTS)
        async with database.write() as scope:
            await prefix_queries.put_administrator(scope, wanted, administrator)
        return canonical

    canonical = with_register(config, make)
    return {"prefix": wanted, "administrator": f"{key.index}:{canonical}", "key": key.type}


async def _put_key(records: HandleRecords, handle: str, key: HandleValue) -> None:
    try:
        await records.put_value(handle, key, by=BY)
    except NotFound:
        own = Admin(ALL_RIGHTS, HandleReference(handle, key.index))
        values = [
            HandleValue(DESCRIPTION_INDEX, "DESC", _DESCRIPTION.encode()),
            HandleValue(ADMIN_INDEX, HS_ADMIN, own.encode()),
            key,
        ]
        await records.create(handle, values, by=BY)


async def _see_nothing(_handles: Sequence[str]) -> None:
    """No look-ups are answered by this process; those of a running node follow the register."""


def _key_record(data: bytes) -> bytes:
    """Return the public key record of a key in either form; raise InvalidInput."""
    if not data.lstrip().startswith(b"-----BEGIN"):
        decode_public(data)
        return data
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            "不是 PEM 公钥(私钥不要交出)", "No public key in PEM; keep the private key to yourself"
        ) from error
    if not isinstance(key, RSAPublicKey | DSAPublicKey):
        raise InvalidInput("公钥须为 RSA 或 DSA", "The public key must be RSA or DSA")
    return encode_public(key)
