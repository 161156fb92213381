"""The SNMS face of the reference secondary node's process."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from admin.cli.surroundings import SnmsAccess
from node.errors import InvalidInput
from sync.secondary.faults import Faults
from sync.secondary.server import SecondaryNode
from sync.secondary.snms_accounts import Account
from sync.secondary.snms_face import SnmsFace, SnmsParts


@asynccontextmanager
async def snms_face(
    access: SnmsAccess | None, node: SecondaryNode, faults: Faults, now_ms: Callable[[], int]
) -> AsyncIterator[Mapping[str, str]]:
    """Serve the face inside the block, and yield its address as the ready line shows it.

    None: nothing. Raises InvalidInput without a password, and what `SnmsFace.start` raises.
    """
    if access is None:
        yield {}
        return
    face = SnmsFace(
        SnmsParts(
            writer=node.threads.writer,
            reader=node.threads.reader,
            faults=faults,
            account=Account(access.user, _password(access)),
            now_ms=now_ms,
            random_bytes=secrets.token_bytes,
        )
    )
    await face.start(access.listen)
    try:
        yield {"snms": face.address}
    finally:
        await face.stop()


def _password(access: SnmsAccess) -> str:
    try:
        password = access.password_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"无法读取密码文件 {access.password_file}", f"{access.password_file} cannot be read"
        ) from error
    if not password:
        raise InvalidInput("密码为空", "The password is empty")
    return password
