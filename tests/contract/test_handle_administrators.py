"""`xibiao prefix admin`: a record with a key, named among the administrators of the prefix."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from admin import local_administrators, local_prefixes
from admin.local_keys import with_register
from admin.node_identity import key_folder
from admin.parts import build_handle_register, build_register, utc_now
from node.config import Config, load
from node.domain.handle_record import Administrator, FullRecord
from node.domain.handle_value import HandleReference
from node.errors import AlreadyRegistered, InvalidInput, NotFound
from node.registration.handle_keys import open_handle_keys
from node.storage.engine import Database
from node.telemetry import Metrics
from resolver.handle.keys import decode_public, encode_public
from resolver.handle.predefined import Admin

HANDLE = "86.1000/ADMIN"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Configure an empty data directory with the prefix of the tests."""
    config = load(None, {}, {"data_dir": tmp_path / "data"})
    local_prefixes.add(config, "86.1000", is_test=False, profile="free")
    return config


def set_secret(
    config: Config,
    secret: bytes,
    *,
    prefix: str = "86.1000",
    handle: str = HANDLE,
    index: int = 300,
) -> Mapping[str, object]:
    return local_administrators.make_with_secret(
        config, prefix, handle=handle, index=index, secret=secret
    )


def register_as_seen(config: Config) -> tuple[FullRecord, tuple[Administrator, ...]]:
    """Return the record of the administrator and the administrators of the prefix."""

    async def see(database: Database) -> tuple[FullRecord, tuple[Administrator, ...]]:
        register = await build_register(config, database, Metrics(), utc_now)
        await register.directory.refresh()
        keys = open_handle_keys(key_folder(config))
        records = build_handle_register(register, keys, lambda _: asyncio.sleep(0))
        record = await records.read(HANDLE)
        assert record is not None
        return record, tuple(records.administrators("86.1000"))

    return with_register(config, see)


def test_the_record_has_a_public_value_its_own_administrator_and_the_secret(
    config: Config,
) -> None:
    made = set_secret(config, b"password1", handle="86.1000/admin")
    assert made == {"prefix": "86.1000", "administrator": f"300:{HANDLE}", "key": "HS_SECKEY"}
    record, administrators = register_as_seen(config)
    assert administrators == (Administrator(HANDLE, 300, 0x0FFF),)
    description, admin, secret = record.values
    assert (description.index, description.type, description.is_public) == (1, "DESC", True)
    assert (admin.index, admin.type) == (100, "HS_ADMIN")
    assert Admin.decode(admin.data) == Admin(0x0FFF, HandleReference(HANDLE, 300))
    assert (secret.index, secret.data, secret.permissions) == (300, b"password1", 0x0C)
    (listed,) = local_prefixes.list_all(config)
    assert listed["administrators"] == [f"300:{HANDLE}"]


def test_a_key_is_replaced_at_its_index_and_a_second_one_added(config: Config) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    record_bytes = encode_public(key.public_key())
    set_secret(config, b"password1")
    set_secret(config, b"password2")
    for index, data in ((301, pem), (302, record_bytes)):
        local_administrators.make_with_public_key(
            config, "86.1000", handle=HANDLE, index=index, public_key=data
        )
    record, administrators = register_as_seen(config)
    assert [a.index for a in administrators] == [300, 301, 302]
    values = {value.index: value for value in record.values}
    assert values[300].data == b"password2"
    assert values[301].data == values[302].data == record_bytes
    assert (values[301].type, values[301].permissions) == ("HS_PUBKEY", 0x0E)
    assert decode_public(values[301].data) is not None


def test_what_is_no_public_key_is_refused(config: Config) -> None:
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    for data in (
        b"",
        b"garbage",
        b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        with pytest.raises(InvalidInput):
            local_administrators.make_with_public_key(
                config, "86.1000", handle=HANDLE, index=300, public_key=data
            )


def test_prefixes_handles_and_indexes_that_will_not_do_are_refused(config: Config) -> None:
    with pytest.raises(NotFound):
        set_secret(config, b"x", prefix="86.2000")
    with pytest.raises(NotFound):
        set_secret(config, b"x", handle="86.2000/ADMIN")
    for index in (1, 100):
        with pytest.raises(InvalidInput):
            set_secret(config, b"x", index=index)
    (listed,) = local_prefixes.list_all(config)
    assert listed["administrators"] == []


def test_a_deleted_administrator_is_not_made_again(config: Config) -> None:
    set_secret(config, b"password1")

    async def delete(database: Database) -> None:
        register = await build_register(config, database, Metrics(), utc_now)
        await register.directory.refresh()
        keys = open_handle_keys(key_folder(config))
        records = build_handle_register(register, keys, lambda _: asyncio.sleep(0))
        await records.delete(HANDLE, revision=1, by="test")

    with_register(config, delete)
    with pytest.raises(AlreadyRegistered, match="never used again"):
        set_secret(config, b"password2")
