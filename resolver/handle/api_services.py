"""The endpoints about the server: /api/site, /api/prefixes and /api/verifications."""

from __future__ import annotations

from starlette.responses import Response

from node.domain.handle_value import HandleReference
from node.errors import InvalidInput, NotAuthenticated
from resolver.handle.administration import Administration
from resolver.handle.api_authorization import read_base64, read_key, read_proof
from resolver.handle.api_replies import reply
from resolver.handle.api_request import APIRequest
from resolver.handle.authentication import Authentication, Proof
from resolver.handle.codes import ResponseCode
from resolver.handle.json_structures import read_site
from resolver.handle.predefined import HS_SECKEY
from resolver.handle.register_port import HandleRegister
from resolver.handle.site import Site

_SUCCESS = {"responseCode": ResponseCode.SUCCESS.value}


class SiteEndpoint:
    """Handler of /api/site."""

    def __init__(self, site: Site) -> None:
        self._site = read_site(site.encode())

    async def read(self, asked: APIRequest) -> Response:
        """Show where this node is reached, and its public key."""
        return reply(_SUCCESS | {"site": self._site}, 200, asked.dressing)


class PrefixesEndpoint:
    """Handlers of /api/prefixes and /api/prefixes/{0.NA/prefix}; for server administrators."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    async def read(self, asked: APIRequest) -> Response:
        """Show the prefixes in service; one prefix has nothing to show here."""
        if asked.path or asked.parameters.text("prefix"):
            return Response(status_code=405, headers={"allow": "POST, DELETE, OPTIONS"})
        prefixes = await self._administration.homed_prefixes(asker=asked.asker)
        page, size = asked.parameters.number("page"), asked.parameters.number("pageSize")
        fields: dict[str, object] = _SUCCESS | {"totalCount": str(len(prefixes))}
        if page is not None and size is not None:
            prefixes = prefixes[page * size : (page + 1) * size]
            fields |= {"page": page, "pageSize": size}
        return reply(fields | {"prefixes": prefixes}, 200, asked.dressing)

    async def home(self, asked: APIRequest) -> Response:
        """Put a prefix into service."""
        asked.refuse_foreign_page()
        done = await self._administration.home(_prefix(asked), asker=asked.asker)
        return reply(_SUCCESS | {"handle": done.handle}, 200, asked.dressing_of_outcome)

    async def unhome(self, asked: APIRequest) -> Response:
        """Take no more registrations below a prefix."""
        done = await self._administration.unhome(_prefix(asked), asker=asked.asker)
        return reply(_SUCCESS | {"handle": done.handle}, 200, asked.dressing_of_outcome)


class VerificationsEndpoint:
    """Handler of /api/verifications/{index:handle}: was a proof made with that secret key?"""

    def __init__(self, authentication: Authentication, register: HandleRegister) -> None:
        self._authentication = authentication
        self._register = register

    async def read(self, asked: APIRequest) -> Response:
        """Judge a proof over `nonce` and `cnonce`."""
        given = asked.parameters.texts()
        if any(name not in given for name in ("nonce", "cnonce", "alg", "signature")):
            raise _refused("缺少参数", "Missing parameters in verification request")
        key = _key(asked)
        proof = Proof(
            key,
            HS_SECKEY,
            read_proof(given, HS_SECKEY),
            nonce=read_base64(given["nonce"]),
            digest=read_base64(given["cnonce"]),
        )
        self._register.canonical(key.handle)  # Other nodes' keys are for them to judge.
        try:
            await self._authentication.prove(proof, source=asked.source)
        except NotAuthenticated:
            is_valid = False
        else:
            is_valid = True
        fields = _SUCCESS | {"isValid": is_valid, "handle": key.handle}
        return reply(fields, 200, asked.dressing)


def _prefix(asked: APIRequest) -> str:
    prefix = asked.parameters.text("prefix") or asked.path
    if not prefix:
        raise _refused("未给出前缀", "Prefix not specified in request")
    return prefix


def _key(asked: APIRequest) -> HandleReference:
    """Return the key meant: `index:handle` in the path, or the index as a parameter."""
    named, indexes = read_key(asked.path), asked.parameters.indexes()
    if len(indexes) + (named.index > 0) != 1:
        raise _refused("须给出一个索引", "One index is needed in a verification request")
    return HandleReference(named.handle, indexes[0]) if indexes else named


def _refused(zh: str, en: str) -> InvalidInput:
    return InvalidInput(zh, en, code="parameters")
