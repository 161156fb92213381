"""The Handle service of one process: its parts, built and joined.

Faces share them: the listeners of the binary protocol hand messages to `server`; the JSON API
proves with `authentication`, acts through `administration` and shows `prefix_handles`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from node.domain.handle_value import HandleReference
from resolver.handle.administration import Administration
from resolver.handle.administrative_requests import AdministrativeRequests
from resolver.handle.admission import Admission
from resolver.handle.allowances import Allowance, StrangersWork
from resolver.handle.authentication import Authentication, ForeignKeys
from resolver.handle.authorization import Authorization
from resolver.handle.bodies import Referral
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.challenges import Challenges
from resolver.handle.record_reader import RecordReader
from resolver.handle.referrals import Referrals
from resolver.handle.register_port import HandleRegister
from resolver.handle.reply_writer import ReplyWriter
from resolver.handle.resolving import Resolving
from resolver.handle.server import HandleServer, ServerCounts
from resolver.handle.session_relay import SessionRelay
from resolver.handle.session_setup import SessionSetups
from resolver.handle.sessions import Sessions
from resolver.handle.site import Site
from resolver.handle.site_info import PrefixHandles
from resolver.lookup import Lookup

# A source that proves wrongly may do so some ten times at once and then twice a second.
WRONG_PROOF_INCOME, WRONG_PROOF_SAVINGS = 40.0, 200.0


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Bounds and policy of the service.

    Times in seconds: `challenge_s` for the answer to a challenge, `session_s` for a session at
    most. `challenges` and `sessions` are kept at most, `source_…` of one client. `server_admins`
    may home prefixes, and do everything if `server_admin_full_access`. `referrals` by prefix.
    `process` (0 … 63) tells processes apart that share a port.
    """

    challenge_s: float = 60.0
    challenges: int = 10_000
    source_challenges: int = 256
    session_s: float = 86_400.0
    sessions: int = 10_000
    source_sessions: int = 256
    server_admins: tuple[HandleReference, ...] = ()
    server_admin_full_access: bool = False
    allows_listing: bool = True
    referrals: Mapping[str, Referral] = field(default_factory=dict)
    process: int = 0


@dataclass(frozen=True, slots=True)
class HandleService:
    """The parts that faces use; `close` when they are done."""

    server: HandleServer
    administration: Administration
    authentication: Authentication
    prefix_handles: PrefixHandles
    referrals: Referrals
    site: Site
    sessions: Sessions
    work: BoundedWork

    def close(self) -> None:
        """End the threads of the service."""
        self.work.close()


def create_service(
    lookup: Lookup,
    register: HandleRegister,
    *,
    site: Site,
    site_key: RSAPrivateKey,
    site_dated: int,
    settings: ServiceSettings,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    foreign: ForeignKeys | None = None,
    relay: SessionRelay | None = None,
) -> HandleService:
    """Build the service inside a running event loop.

    `site` is what this node says of itself (`site_info.describe_site`), `site_key` its key pair,
    `site_dated` seconds since 1970 that dates it; `clock` gives Unix time. `relay` joins processes
    that share a port; its number is `settings.process`, and starting it is the caller's.
    """
    work, strangers = BoundedWork(), StrangersWork(monotonic)
    records = RecordReader(register)
    authentication = Authentication(
        register,
        records,
        lookup,
        work=work,
        failures=Allowance(monotonic, income=WRONG_PROOF_INCOME, savings=WRONG_PROOF_SAVINGS),
        foreign=foreign,
    )
    authorization = Authorization(
        register,
        records,
        server_admins=settings.server_admins,
        has_full_access=settings.server_admin_full_access,
    )
    administration = Administration(
        register, records, authorization, allows_listing=settings.allows_listing
    )
    prefix_handles = PrefixHandles(register, site, dated=site_dated)
    sessions = Sessions(
        clock=monotonic,
        random_bytes=random_bytes,
        longest_s=settings.session_s,
        limit=settings.sessions,
        of_source=settings.source_sessions,
        process=settings.process,
    )
    referrals = Referrals(settings.referrals)
    server = HandleServer(
        admission=Admission(sessions, authentication),
        resolving=Resolving(lookup, register, administration, prefix_handles, site),
        administrative=AdministrativeRequests(administration),
        authentication=authentication,
        authorization=authorization,
        session_setups=SessionSetups(
            sessions, authentication, work=work, strangers=strangers, random_bytes=random_bytes
        ),
        challenges=_challenges(settings, monotonic, random_bytes),
        datagram_challenges=_challenges(settings, monotonic, random_bytes),
        referrals=referrals,
        writer=ReplyWriter(
            site_serial=site.serial,
            site_key=site_key,
            work=work,
            strangers=strangers,
            clock=clock,
            random_bytes=random_bytes,
        ),
        random_bytes=random_bytes,
        counts=ServerCounts(),
        relay=relay,
    )
    return HandleService(
        server, administration, authentication, prefix_handles, referrals, site, sessions, work
    )


def _challenges(
    settings: ServiceSettings,
    monotonic: Callable[[], float],
    random_bytes: Callable[[int], bytes],
) -> Challenges:
    return Challenges(
        clock=monotonic,
        random_bytes=random_bytes,
        patience_s=settings.challenge_s,
        limit=settings.challenges,
        of_source=settings.source_challenges,
        process=settings.process,
    )
