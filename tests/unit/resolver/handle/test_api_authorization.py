"""The Authorization field of the JSON API is read as deployed clients write it, or refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference
from node.errors import InvalidInput
from resolver.handle.api_authorization import (
    BasicCredentials,
    HandleParameters,
    KeyProof,
    read_authorization,
    read_key,
)
from resolver.handle.proofs import SecretForm, check_secret, prove_secret
from resolver.handle.versions import OWN

ADMIN = HandleReference("86.1000/ADMIN", 300)
NONCE, CNONCE, SECRET = b"server nonce 16b", b"client nonce", b"password1"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def basic(text: str) -> str:
    return "Basic " + b64(text.encode())


def parameters(text: str) -> HandleParameters:
    read = read_authorization(text)
    assert isinstance(read, HandleParameters)
    return read


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("300%3A86.1000/ADMIN", ADMIN),
        ("300%3a86.1000%2FADMIN", ADMIN),
        ("86.1000/ADMIN", HandleReference("86.1000/ADMIN", 0)),
        ("86.1000/a+b", HandleReference("86.1000/a+b", 0)),
        ("301%3A86.1000/%E7%A8%80", HandleReference("86.1000/稀", 301)),
    ],
)
def test_basic_user_is_percent_decoded(user: str, key: HandleReference) -> None:
    assert read_authorization(basic(f"{user}:pass:word")) == BasicCredentials(key, b"pass:word")


def test_basic_user_with_a_bare_colon_names_no_handle_of_ours() -> None:
    read = read_authorization(basic("300:86.1000/ADMIN:password1"))
    assert isinstance(read, BasicCredentials)
    assert read.key == HandleReference("300", 0)


def test_secret_does_not_show() -> None:
    assert "password1" not in repr(read_authorization(basic("300%3A86.1000/ADMIN:password1")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic",
        "Basic !!!",
        basic("no colon"),
        basic(":secret"),
        basic("%ff%fe:secret"),
        basic("99999999999%3A86.1000/ADMIN:secret"),
        basic("3000000000%3A86.1000/ADMIN:secret"),
        "Bearer xb_1_2",
        "Handle version",
        'Handle version="0" id="x"',
        'Handle version="0',
        'Handle version="0", =',
        "Handle " + ", ".join(["version=0"] * 3) + " extra",
        "Basic " + "A" * 5000,
    ],
)
def test_malformed_field_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_authorization(text)
    assert refused.value.code == "handle_authorization"


def test_parameters_are_read_in_every_spelling() -> None:
    text = r'handle  Version=0,SESSIONID="a\"b\\c" ,, id="300%3A86.1000%2FADMIN", other=x,'
    read = parameters(text)
    assert read.values == {"version": "0", "sessionId": 'a"b\\c', "id": "300:86.1000/ADMIN"}
    assert read.session_id == 'a"b\\c'
    assert read.is_answering


def test_session_alone_is_no_answer() -> None:
    read = parameters('Handle sessionId="node01abc"')
    assert (read.session_id, read.is_answering, read.shows_certificate) == (
        "node01abc",
        False,
        False,
    )


@pytest.mark.parametrize(("text", "shows"), [('"true"', True), ("TRUE", True), ("false", False)])
def test_certificate_counts_where_the_client_says_so(text: str, shows: bool) -> None:
    assert parameters(f"Handle clientCert={text}").shows_certificate is shows


def answer(**given: str) -> HandleParameters:
    whole = {"id": "300:86.1000/ADMIN", "type": "HS_SECKEY", "cnonce": b64(CNONCE)} | given
    return HandleParameters(whole)


@pytest.mark.parametrize(
    ("alg", "form"),
    [
        ("MD5", SecretForm.MD5),
        ("SHA1", SecretForm.SHA1),
        ("sha-1", SecretForm.SHA1),
        ("SHA256", SecretForm.SHA256),
        ("SHA-256", SecretForm.SHA256),
        ("HMAC-SHA1", SecretForm.HMAC_SHA1),
        ("HmacSHA256", SecretForm.HMAC_SHA256),
    ],
)
def test_proof_is_that_of_the_native_protocol(alg: str, form: SecretForm) -> None:
    made = prove_secret(form, SECRET, NONCE + CNONCE)
    proof = answer(alg=alg, signature=b64(made[1:])).key_proof()
    assert proof == KeyProof(ADMIN, "HS_SECKEY", CNONCE, made)
    check_secret(proof.proof, SECRET, NONCE + CNONCE, version=OWN)


@pytest.mark.parametrize("alg", ["PBKDF2-HMAC-SHA1", "PBKDF2WithHmacSHA1"])
def test_pbkdf2_proof_carries_its_parameters(alg: str) -> None:
    salt = bytes(range(16))
    made = prove_secret(SecretForm.PBKDF2, SECRET, NONCE + CNONCE, salt=salt)
    given = answer(
        alg=alg, signature=b64(made[-20:]), salt=b64(salt), iterations="10000", length="160"
    )
    assert given.key_proof().proof == made


def test_signature_names_its_hash() -> None:
    given = answer(type="HS_PUBKEY", alg="SHA256", signature=b64(b"signature"))
    assert given.key_proof().proof == b"\0\0\0\x07SHA-256\0\0\0\x09signature"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"alg": "SHA256"},
        {"alg": "ROT13", "signature": "AA=="},
        {"alg": "SHA256", "signature": "?"},
        {"alg": "SHA256", "signature": "AA==", "version": "1"},
        {"alg": "SHA256", "signature": "AA==", "type": "HS_FOO"},
        {"alg": "SHA256", "signature": "AA==", "cnonce": "?"},
        {"alg": "SHA256", "signature": "AA==", "id": ""},
        {"alg": "HMAC-SHA1", "signature": "AA==", "type": "HS_PUBKEY"},
        {"alg": "PBKDF2-HMAC-SHA1", "signature": "AA=="},
        {"alg": "PBKDF2-HMAC-SHA1", "signature": "AA==", "iterations": "-1", "length": "160"},
        {"alg": "PBKDF2-HMAC-SHA1", "signature": "AA==", "iterations": "9" * 40, "length": "1"},
    ],
)
def test_incomplete_or_unknown_answer_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        answer(**given).key_proof()


def test_base64_is_read_in_both_alphabets_and_without_padding() -> None:
    assert answer(cnonce="-_8").cnonce == b"\xfb\xff"
    assert answer(cnonce="+/8=").cnonce == b"\xfb\xff"
    assert HandleParameters({}).cnonce is None


@pytest.mark.parametrize("text", ["300:86.1000/ADMIN", "0:x", "x", "x:y"])
def test_keys_are_index_and_handle(text: str) -> None:
    key = read_key(text)
    assert text in (f"{key.index}:{key.handle}", key.handle)


@given(st.one_of(st.text(max_size=200), st.text('Handle "=,\\ aid:%', max_size=200)))
def test_no_field_raises_anything_else(text: str) -> None:
    for scheme in ("", "Basic ", "Handle "):
        try:
            read = read_authorization(scheme + text)
            if isinstance(read, HandleParameters) and read.is_answering:
                read.key_proof()
        except InvalidInput:
            pass


@given(st.text(min_size=1, max_size=40), st.binary(max_size=40))
def test_quoted_text_reads_back(session: str, cnonce: bytes) -> None:
    quoted = session.replace("\\", "\\\\").replace('"', '\\"')
    if quoted.strip() == quoted and "\n" not in quoted:
        read = parameters(f'Handle sessionId="{quoted}", cnonce="{b64(cnonce)}"')
        assert (read.session_id, read.cnonce) == (session, cnonce)
