"""Who is it? Judging proofs of keys that records hold, and keeping an eye on keys proved before.

A key is a value of type HS_SECKEY or HS_PUBKEY in an active record of this node; keys of records
elsewhere are judged by their own node or with their public value (`ForeignKeys`). The binary
protocol and the JSON API prove alike: knowledge of a key over a nonce and a digest.

Invariants: a wrong proof and a key that does not exist are refused alike; secrets are read for one
judgement and kept nowhere; the costly kinds of proof are computed beside the event loop, bounded;
a source that proves wrongly again and again has to wait (Overloaded).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from node.domain.handle_value import HandleReference, HandleValue
from node.domain.record import Status
from node.errors import InvalidInput, NotAuthenticated, NotFound
from resolver.handle.allowances import Allowance
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.identity import Identity
from resolver.handle.keys import decode_public
from resolver.handle.predefined import HS_PUBKEY, HS_SECKEY
from resolver.handle.proofs import SecretForm, check_key, check_secret, wrong_proof
from resolver.handle.record_reader import RecordReader
from resolver.handle.refusals import foreign_key, invalid_credential
from resolver.handle.register_port import HandleRegister
from resolver.handle.rights import is_of_type
from resolver.handle.versions import OWN, Version
from resolver.lookup import Lookup

# When no index is named, a record with more keys of a type is tried with its first ones.
MAX_KEYS = 4
# What a wrong proof costs its source, in milliseconds of `Allowance`.
WRONG_PROOF_MS, WRONG_STRETCHED_PROOF_MS = 20.0, 200.0
ANY_KEY = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """The claim to have a key.

    `auth_type` HS_SECKEY or HS_PUBKEY; `proof` as in `resolver.handle.proofs`, over `nonce` ‖
    `digest`: the bare digest of the challenged request, in the JSON API the client's nonce.
    `version` is the one the proof is written in.
    """

    key: HandleReference
    auth_type: str
    proof: bytes = field(repr=False)
    nonce: bytes
    digest: bytes
    version: Version = OWN

    @property
    def challenged(self) -> bytes:
        """Return what the proof is over."""
        return self.nonce + self.digest

    @property
    def is_stretched(self) -> bool:
        """Say whether judging this is costly."""
        return self.auth_type == HS_SECKEY and self.proof[:1] == bytes((SecretForm.PBKDF2,))


class ForeignKeys(Protocol):
    """Keys whose records other nodes hold. Both raise NotFound when nobody can be asked."""

    async def public_keys(self, key: HandleReference) -> Sequence[HandleValue]:
        """Return the HS_PUBKEY values that a reference names (index 0: all)."""
        ...

    async def is_secret_proved(self, proof: Proof) -> bool:
        """Ask the node that holds a secret key whether a proof is right (VERIFY_CHALLENGE)."""
        ...


@dataclass(frozen=True, slots=True)
class _Keys:
    """Keys of one type in a record of this node, `version` its entity tag before it was read."""

    handle: str
    values: Sequence[HandleValue]
    version: str

    def identity(self, value: HandleValue) -> Identity:
        key = HandleReference(self.handle, value.index)
        return Identity(key, _fingerprint(value), self.version)


class Authentication:
    """Judges proofs. `failures` are the accounts of sources for wrong ones.

    `source` is whom they are charged to (`allowances.source_of` the peer). All methods may raise
    Overloaded and Unavailable.
    """

    def __init__(
        self,
        register: HandleRegister,
        records: RecordReader,
        lookup: Lookup,
        *,
        work: BoundedWork,
        failures: Allowance,
        foreign: ForeignKeys | None = None,
    ) -> None:
        self._register = register
        self._records = records
        self._lookup = lookup
        self._work = work
        self._failures = failures
        self._foreign = foreign

    async def prove(self, proof: Proof, *, source: str) -> Identity:
        """Return whose key made a proof.

        Raises NotAuthenticated: code `handle_proof` (wrong), `handle_credential` (a type or form
        that cannot be judged), `handle_foreign_key` (its node cannot be asked).
        """
        self._failures.check(source)
        if proof.auth_type not in (HS_SECKEY, HS_PUBKEY):
            raise invalid_credential("未知的验证类型", "Unknown authentication type")
        try:
            keys = await self._keys(proof.key, proof.auth_type)
            if keys is None:
                return await self._prove_foreign(proof)
            return keys.identity(await self._right_one(keys.values, proof))
        except InvalidInput as error:
            self._failures.charge(source, WRONG_PROOF_MS)
            raise invalid_credential("验证数据格式有误", error.en) from error
        except NotAuthenticated:
            cost = WRONG_STRETCHED_PROOF_MS if proof.is_stretched else WRONG_PROOF_MS
            self._failures.charge(source, cost)
            raise

    async def prove_secret(self, key: HandleReference, secret: bytes, *, source: str) -> Identity:
        """Return whose secret key this is (Basic authentication); raise NotAuthenticated."""
        return await self._prove_equal(key, HS_SECKEY, secret, source)

    async def prove_public_key(
        self, key: HandleReference, record: bytes, *, source: str
    ) -> Identity:
        """Return whose public key record this is, which TLS has proved the peer to own.

        Raises NotAuthenticated.
        """
        return await self._prove_equal(key, HS_PUBKEY, record, source)

    async def rsa_key(self, key: HandleReference) -> RSAPublicKey:
        """Return the RSA public key that a reference names; raise NotAuthenticated."""
        keys = await self._keys(key, HS_PUBKEY)
        if keys is None:
            raise foreign_key()
        for value in keys.values:
            try:
                found = decode_public(value.data)
            except InvalidInput:
                continue
            if isinstance(found, RSAPublicKey):
                return found
        raise NotAuthenticated(
            "密钥交换需要 RSA 公钥", "Key exchange needs an RSA public key", code="handle_rsa_key"
        )

    async def confirm(self, identity: Identity) -> Identity | None:
        """Return an identity proved earlier if its key still stands; None: it does not.

        While the record is unchanged that takes a look into memory and no more.
        """
        if not identity.version:
            return identity
        if await self._version_of(identity.key.handle) == identity.version:
            return identity
        for kind in (HS_SECKEY, HS_PUBKEY):
            keys = await self._keys(identity.key, kind)
            for value in keys.values if keys is not None else ():
                if keys is not None and _fingerprint(value) == identity.fingerprint:
                    return keys.identity(value)
        return None

    async def _prove_equal(
        self, key: HandleReference, kind: str, data: bytes, source: str
    ) -> Identity:
        self._failures.check(source)
        keys = await self._keys(key, kind)
        for value in keys.values if keys is not None else ():
            if keys is not None and hmac.compare_digest(value.data, data):
                return keys.identity(value)
        self._failures.charge(source, WRONG_PROOF_MS)
        raise wrong_proof()

    async def _right_one(self, values: Sequence[HandleValue], proof: Proof) -> HandleValue:
        """Return the value whose key made the proof; raise InvalidInput or NotAuthenticated."""
        for value in values:
            try:
                await self._check(proof, value)
            except NotAuthenticated:
                continue
            return value
        raise wrong_proof()

    async def _check(self, proof: Proof, value: HandleValue) -> None:
        if proof.auth_type == HS_PUBKEY:
            try:
                key = decode_public(value.data)
            except InvalidInput as error:
                raise wrong_proof() from error
            check_key(proof.proof, key, proof.challenged)
            return
        check: Callable[[], None] = lambda: check_secret(  # noqa: E731 - run here or in a thread
            proof.proof, value.data, proof.challenged, version=proof.version
        )
        if proof.is_stretched:
            await self._work.run(check)
        else:
            check()

    async def _keys(self, key: HandleReference, kind: str) -> _Keys | None:
        """Return the keys of one type that a reference names; None: another node holds them."""
        try:
            handle = self._register.canonical(key.handle)
        except NotFound:
            return None
        except InvalidInput:
            return _Keys(key.handle, (), "")
        # Before the record: a change in between makes `confirm` look again.
        version = await self._version_of(handle)
        record = await self._records.read(handle)
        if record is None or record.status != Status.ACTIVE:
            return _Keys(handle, (), version)
        return _Keys(handle, _of_kind(record.values, key.index, kind), version)

    async def _version_of(self, handle: str) -> str:
        answer = await self._lookup.resolve(handle)
        return answer.resolution.entity_tag if answer.resolution is not None else "absent"

    async def _prove_foreign(self, proof: Proof) -> Identity:
        if self._foreign is None:
            raise foreign_key()
        try:
            if proof.auth_type == HS_PUBKEY:
                found = await self._foreign.public_keys(proof.key)
                value = await self._right_one(_of_kind(found, proof.key.index, HS_PUBKEY), proof)
                return Identity(HandleReference(proof.key.handle, value.index), b"")
            if await self._foreign.is_secret_proved(proof):
                return Identity(proof.key, b"")
        except NotFound as error:
            raise foreign_key() from error
        raise wrong_proof()


def _of_kind(values: Sequence[HandleValue], index: int, kind: str) -> list[HandleValue]:
    named = [v for v in values if index in (ANY_KEY, v.index) and is_of_type(v, kind)]
    return named[:MAX_KEYS]


def _fingerprint(value: HandleValue) -> bytes:
    return hashlib.sha256(value.data).digest()
