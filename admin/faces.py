"""Which routes a process offers: those of its roles, and health, status and metrics always.

`api` registers, changes and imports; `api` and `resolver` show the log; a route of another role
does not exist here, so a request that was sent to the wrong process is told so at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from admin.counting_parts import Counting
from admin.listening import is_loopback
from admin.parts import Register, tally_folder, utc_now
from admin.sync_parts import certificate_expires_at
from node.api.access_control import AccessControl
from node.api.app import Faces
from node.api.counting_routes import CountingRoutes
from node.api.early_registration import METHOD, PATH, EarlyRegistration
from node.api.exchange import BodyBudget
from node.api.import_routes import ImportRoutes
from node.api.log_reader import LogReader
from node.api.log_routes import LogRoutes
from node.api.operation_routes import OperationRoutes
from node.api.registration_routes import RegistrationRoutes
from node.api.sync_routes import SyncRoutes
from node.config import Config
from node.counting.overview import resolution_report
from node.importing.job import ImportJobs
from resolver.front import EarlyHandler
from resolver.lookup import Lookup

# A process that only resolves goes on telling the truth while the log is behind: it reads changes
# that are not logged yet as well.
_NEED_THE_LOG = frozenset({"api", "sequencer", "importer"})


def build_faces(
    config: Config,
    register: Register,
    jobs: ImportJobs,
    lookup: Lookup,
    counting: Counting | None,
    bodies: BodyBudget,
) -> Faces:
    """Build the groups of handlers of this process; `bodies` bounds all of their bodies.

    `counting`: of a process with the role api.
    """
    roles = set(config.roles)
    access, log = _access(config, register), LogReader(register.database)
    is_api = "api" in roles
    shows_log = bool(roles & {"api", "resolver"})
    return Faces(
        registration=_registration(config, register, access, log, bodies) if is_api else None,
        imports=ImportRoutes(access, jobs) if is_api else None,
        log=LogRoutes(log, register.directory, register.signer.verifier_key())
        if shows_log
        else None,
        sync=SyncRoutes(access, register.database, utc_now, peer=_peer_name(config))
        if is_api
        else None,
        counting=CountingRoutes(
            access, counting.campaigns, counting.sealer, settle_s=counting.settle_s
        )
        if is_api and counting
        else None,
        operations=_operations(config, register, access, lookup),
    )


def early_handlers(
    config: Config, register: Register, bodies: BodyBudget
) -> Mapping[tuple[bytes, bytes], EarlyHandler]:
    """Build what is answered before the application, by method and URL; `bodies` as above."""
    if "api" not in config.roles:
        return {}
    early = EarlyRegistration(
        _access(config, register),
        register.coalescer,
        register.backpressure,
        bodies,
        register.metrics,
    )
    return {(METHOD.encode(), PATH.encode()): early.serve}


def _access(config: Config, register: Register) -> AccessControl:
    http = config.http
    shown = http.local_status_without_key
    is_private = all(map(is_loopback, filter(None, (http.listen, config.https.listen))))
    return AccessControl(
        register.directory,
        utc_now,
        trusted_proxies=http.trusted_proxies,
        trusts_local=shown == "always" or (shown == "on_loopback" and is_private),
    )


def _registration(
    config: Config, register: Register, access: AccessControl, log: LogReader, bodies: BodyBudget
) -> RegistrationRoutes:
    return RegistrationRoutes(
        access,
        register.registrar,
        register.coalescer,
        register.life_cycle,
        register.backpressure,
        log,
        register.directory,
        register.database,
        bodies,
        single_limit=config.http.max_body.single,
        batch_limit=config.http.max_body.batch,
    )


def _peer_name(config: Config) -> str:
    return config.sync.name if config.sync.secondary else ""


def _operations(
    config: Config, register: Register, access: AccessControl, lookup: Lookup
) -> OperationRoutes:
    roles = set(config.roles)
    return OperationRoutes(
        access,
        register.database,
        register.metrics,
        utc_now,
        roles=config.roles,
        origin=register.signer.name,
        pending_limit=config.sequencer.pending_limit,
        needs_log=bool(roles & _NEED_THE_LOG),
        resolutions=partial(resolution_report, folder=tally_folder(config)),
        can_look_up=lambda: "resolver" not in roles or lookup.is_ready,
        peer=_peer_name(config),
        certificate_expires_at=lambda: certificate_expires_at(config.sync),
    )
