"""Who is it: proofs of secrets and key pairs, wrong ones and their price, keys that are gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import NotAuthenticated, NotFound, Overloaded, XibiaoError
from resolver.handle.allowances import Allowance
from resolver.handle.authentication import Authentication, ForeignKeys, Proof
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.codes import ResponseCode
from resolver.handle.cursor import data_field, name_field, u32_field
from resolver.handle.keys import encode_public
from resolver.handle.proofs import PrivateKey, SecretForm, prove_key, prove_secret
from resolver.handle.record_reader import RecordReader
from resolver.handle.refusals import response_code
from resolver.handle.versions import OWN, Version
from tests.unit.resolver.handle.service_fakes import (
    ADMIN,
    PREFIX,
    SECRET,
    SITE_KEY,
    Bench,
    Clock,
    FakeRegister,
    bench,
    secret_value,
)

NONCE, DIGEST = bytes(range(16)), bytes(range(32))
SALT = bytes(16)
KEY = HandleReference(ADMIN, 300)
SOURCE = "192.0.2.1"
RSA_KEY = SITE_KEY
DSA_KEY = dsa.generate_private_key(2048)


@pytest.fixture
def place() -> Iterator[Bench]:
    with bench() as made:
        made.register.put(
            ADMIN,
            secret_value(300),
            secret_value(302, b"another"),
            HandleValue(303, "HS_PUBKEY", b"no key at all"),
            HandleValue(304, "HS_PUBKEY", encode_public(DSA_KEY.public_key())),
            HandleValue(305, "HS_PUBKEY", encode_public(RSA_KEY.public_key())),
        )
        yield made


def secret_proof(
    secret: bytes = SECRET,
    *,
    key: HandleReference = KEY,
    form: SecretForm = SecretForm.SHA256,
    version: Version = OWN,
) -> Proof:
    proof = prove_secret(form, secret, NONCE + DIGEST, salt=SALT)
    return Proof(key, "HS_SECKEY", proof, NONCE, DIGEST, version)


def key_proof(private: PrivateKey, index: int, handle: str = ADMIN) -> Proof:
    proof = prove_key(private, NONCE + DIGEST, version=OWN)
    return Proof(HandleReference(handle, index), "HS_PUBKEY", proof, NONCE, DIGEST)


async def refusal(place: Bench, proof: Proof) -> ResponseCode:
    with pytest.raises(XibiaoError) as caught:
        await place.service.authentication.prove(proof, source=SOURCE)
    assert isinstance(caught.value, NotAuthenticated)
    return response_code(caught.value)


@pytest.mark.parametrize("form", [form for form in SecretForm if form != SecretForm.BARE_MD5])
async def test_every_form_of_a_secret_proves_it(place: Bench, form: SecretForm) -> None:
    prove = place.service.authentication.prove
    identity = await prove(secret_proof(form=form), source=SOURCE)
    assert (identity.key, identity.name) == (KEY, "300:86.1000/ADMIN")
    assert await refusal(place, secret_proof(b"wrong", form=form)) == 403


async def test_below_version_2_1_a_bare_digest_proves_a_secret(place: Bench) -> None:
    proof = secret_proof(form=SecretForm.BARE_MD5, version=Version(2, 0))
    assert await place.service.authentication.prove(proof, source=SOURCE)


@pytest.mark.parametrize("index", [0, 302])
async def test_any_key_may_stand_for_the_handle_and_the_right_one_is_named(
    place: Bench, index: int
) -> None:
    proof = secret_proof(b"another", key=HandleReference("86.1000/admin", index))
    identity = await place.service.authentication.prove(proof, source=SOURCE)
    assert identity.key == HandleReference(ADMIN, 302)


@pytest.mark.parametrize("index", [0, 304, 305])
async def test_key_pairs_prove_themselves(place: Bench, index: int) -> None:
    key, proved = (DSA_KEY, 304) if index == 304 else (RSA_KEY, 305)
    identity = await place.service.authentication.prove(key_proof(key, index), source=SOURCE)
    assert identity.key.index == proved


async def test_a_key_of_another_owner_proves_nothing(place: Bench) -> None:
    stranger = rsa.generate_private_key(65_537, 2_048)
    assert await refusal(place, key_proof(stranger, 305)) == 403
    assert await refusal(place, key_proof(RSA_KEY, 303)) == 403


@pytest.mark.parametrize(
    "key",
    [
        HandleReference(ADMIN, 999),
        HandleReference(f"{PREFIX}/NOBODY", 300),
        HandleReference("not a handle", 300),
        HandleReference(f"{PREFIX}/\udcff", 300),
        HandleReference(f"{PREFIX}/ADMIN", 305),
    ],
)
async def test_a_key_that_is_not_there_is_refused_like_a_wrong_one(
    place: Bench, key: HandleReference
) -> None:
    assert await refusal(place, secret_proof(key=key)) == 403


async def test_keys_of_a_suspended_record_prove_nothing(place: Bench) -> None:
    place.register.put(ADMIN, secret_value(300), status="suspended")
    assert await refusal(place, secret_proof()) == 403


@pytest.mark.parametrize(
    ("auth_type", "proof"),
    [
        ("HS_FOO", b""),
        ("HS_SECKEY", b""),
        ("HS_SECKEY", b"\x77" + bytes(32)),
        ("HS_SECKEY", b"\x22" + bytes(8)),
        (
            "HS_SECKEY",
            b"\x22"
            + data_field(SALT)
            + u32_field(2_000_000_000)
            + u32_field(160)
            + data_field(bytes(20)),
        ),
        ("HS_PUBKEY", name_field("SM3") + data_field(bytes(64))),
        ("HS_PUBKEY", name_field("SHA-256")),
    ],
)
async def test_a_proof_that_cannot_be_judged_is_an_invalid_credential(
    place: Bench, auth_type: str, proof: bytes
) -> None:
    key = HandleReference(ADMIN, 305 if auth_type == "HS_PUBKEY" else 300)
    assert await refusal(place, Proof(key, auth_type, proof, NONCE, DIGEST)) == 404


async def test_a_source_that_guesses_has_to_wait_and_others_do_not(place: Bench) -> None:
    prove = place.service.authentication.prove
    with pytest.raises(Overloaded):
        await guess_for_ever(place)
    assert place.register.reads < 50
    assert await prove(secret_proof(), source="198.51.100.1")
    place.clock.now = 60
    assert await prove(secret_proof(), source=SOURCE)


async def guess_for_ever(place: Bench) -> None:
    while True:
        with suppress(NotAuthenticated):
            await place.service.authentication.prove(secret_proof(b"guess"), source=SOURCE)


async def test_right_proofs_cost_their_owner_nothing(place: Bench) -> None:
    for _ in range(100):
        await place.service.authentication.prove(secret_proof(), source=SOURCE)


async def test_a_secret_or_a_public_key_itself_proves_who_sends_it(place: Bench) -> None:
    authentication = place.service.authentication
    assert (await authentication.prove_secret(KEY, SECRET, source=SOURCE)).key == KEY
    record = encode_public(RSA_KEY.public_key())
    reference = HandleReference(ADMIN, 305)
    identity = await authentication.prove_public_key(reference, record, source=SOURCE)
    assert identity.key == reference
    for proving in (
        authentication.prove_secret(KEY, b"wrong", source=SOURCE),
        authentication.prove_secret(HandleReference("99.1/X", 300), SECRET, source=SOURCE),
        authentication.prove_public_key(HandleReference(ADMIN, 304), record, source=SOURCE),
    ):
        with pytest.raises(NotAuthenticated):
            await proving


async def test_an_identity_stands_while_its_key_does(place: Bench) -> None:
    authentication = place.service.authentication
    identity = await authentication.prove(secret_proof(), source=SOURCE)
    reads = place.register.reads
    assert await authentication.confirm(identity) is identity
    assert place.register.reads == reads
    # Another value of the record changes: the key is found again, at its new version.
    place.register.put(ADMIN, HandleValue(1, "URL", b"x"), secret_value(300))
    confirmed = await authentication.confirm(identity)
    assert confirmed is not None
    assert confirmed.key == identity.key
    assert await authentication.confirm(confirmed) is confirmed
    place.register.put(ADMIN, secret_value(300, b"changed"))
    assert await authentication.confirm(confirmed) is None
    del place.register.records[ADMIN]
    assert await authentication.confirm(confirmed) is None


class OtherNodes(ForeignKeys):
    """Nodes that hold one key pair and one secret."""

    async def public_keys(self, key: HandleReference) -> Sequence[HandleValue]:
        if key.handle != "99.1/USER":
            raise NotFound
        return [HandleValue(301, "HS_PUBKEY", encode_public(RSA_KEY.public_key()))]

    async def is_secret_proved(self, proof: Proof) -> bool:
        if proof.key.handle != "99.1/USER":
            raise NotFound
        return proof == secret_proof(key=proof.key)


def with_foreign(register: FakeRegister, place: Bench, foreign: ForeignKeys) -> Authentication:
    return Authentication(
        register,
        RecordReader(register),
        place.lookup,  # type: ignore[arg-type]
        work=BoundedWork(),
        failures=Allowance(Clock(), income=1, savings=1e9),
        foreign=foreign,
    )


async def test_keys_of_other_nodes_are_judged_by_them(place: Bench) -> None:
    authentication = with_foreign(place.register, place, OtherNodes())
    user = HandleReference("99.1/USER", 300)
    identity = await authentication.prove(secret_proof(key=user), source=SOURCE)
    assert identity.name == "300:99.1/USER"
    assert await authentication.confirm(identity) is identity
    proof = key_proof(RSA_KEY, 0, "99.1/USER")
    assert (await authentication.prove(proof, source=SOURCE)).name == "301:99.1/USER"
    for wrong in (secret_proof(b"wrong", key=user), key_proof(DSA_KEY, 301, "99.1/USER")):
        with pytest.raises(NotAuthenticated) as caught:
            await authentication.prove(wrong, source=SOURCE)
        assert response_code(caught.value) == 403


async def test_keys_of_other_nodes_that_nobody_can_ask_are_refused_as_such(place: Bench) -> None:
    stranger = HandleReference("98.1/USER", 300)
    assert await refusal(place, secret_proof(key=stranger)) == 406
    authentication = with_foreign(place.register, place, OtherNodes())
    with pytest.raises(NotAuthenticated) as caught:
        await authentication.prove(secret_proof(key=stranger), source=SOURCE)
    assert response_code(caught.value) == 406


async def test_no_secret_shows_when_proofs_and_identities_are_printed(place: Bench) -> None:
    identity = await place.service.authentication.prove(secret_proof(), source=SOURCE)
    assert repr(identity) == "Identity(300:86.1000/ADMIN)"
    assert secret_proof().proof.hex() not in repr(secret_proof())
