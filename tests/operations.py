"""The handlers that every application of the register has, for tests of the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from admin.parts import Register
from node.api.access_control import AccessControl
from node.api.operation_routes import OperationRoutes
from node.counting.overview import resolution_report
from node.counting.tally_folder import TallyFolder
from tests.builders import NO_FOLDER


def operations(
    register: Register,
    access: AccessControl,
    clock: Callable[[], datetime],
    *,
    role: str = "api",
    folder: TallyFolder = NO_FOLDER,
) -> OperationRoutes:
    """Return the handlers of a process of one role; the look-up of a resolver is blind."""
    return OperationRoutes(
        access,
        register.database,
        register.metrics,
        clock,
        roles=(role,),
        origin=register.signer.name,
        pending_limit=1_000,
        needs_log=role != "resolver",
        resolutions=partial(resolution_report, folder=folder),
        can_look_up=lambda: role != "resolver",
    )
