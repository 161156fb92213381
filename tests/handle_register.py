"""The register of the conformance list: prefix 86.1000, `86.1000/ABC` and `86.1000/ADMIN`.

It is filled before a node runs on it, by the same functions as the command line and the Handle
faces use. The administrator proves himself with SECRET at index 300 or ADMINISTRATOR_KEY at 301;
he may do everything below the prefix.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from admin import local_administrators, local_prefixes
from admin.local_keys import with_register
from admin.node_identity import key_folder
from admin.parts import build_handle_register, build_register, utc_now
from node.config import Config, load
from node.domain.handle_value import HandleReference, HandleValue
from node.registration.handle_keys import open_handle_keys
from node.storage.engine import Database
from node.telemetry import Metrics
from resolver.handle.predefined import HS_ADMIN, Admin

PREFIX = "86.1000"
ADMIN, ABC = f"{PREFIX}/ADMIN", f"{PREFIX}/ABC"
SECRET_INDEX, KEY_INDEX = 300, 301
SECRET = b"password1"
# Every bit of HS_ADMIN that the deployed software knows.
ALL_RIGHTS = 0x0FFF
OWNED = HandleValue(100, HS_ADMIN, Admin(ALL_RIGHTS, HandleReference(ADMIN, 300)).encode())
ABC_VALUES = (
    HandleValue(1, "URL", b"https://example.org/abc"),
    HandleValue(2, "EMAIL", b"admin@example.org", ttl=3_600),
    OWNED,
)


def fill_register(data: Path) -> RSAPrivateKey:
    """Make a data directory with the prefix and both records; return ADMIN's private key."""
    config = load(None, {}, {"data_dir": data})
    key = generate_private_key(public_exponent=65_537, key_size=2_048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    local_prefixes.add(config, PREFIX, is_test=False, profile="free")
    local_administrators.make_with_secret(
        config, PREFIX, handle=ADMIN, index=SECRET_INDEX, secret=SECRET
    )
    local_administrators.make_with_public_key(
        config, PREFIX, handle=ADMIN, index=KEY_INDEX, public_key=public
    )
    _create_abc(config)
    return key


def _create_abc(config: Config) -> None:
    async def create(database: Database) -> None:
        register = await build_register(config, database, Metrics(), utc_now)
        await register.directory.refresh()
        keys = open_handle_keys(key_folder(config))
        records = build_handle_register(register, keys, _see_nothing)
        await records.create(ABC, ABC_VALUES, by=f"{SECRET_INDEX}:{ADMIN}")

    with_register(config, create)


async def _see_nothing(_handles: object) -> None:
    """No look-ups are answered by this process."""
