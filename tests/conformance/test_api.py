"""The Handle.Net JSON API over HTTPS and HTTP: conformance list, group API.

Requests are written as deployed clients write them, and proofs computed here, not by the product.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import ssl
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.conformance.conftest import HandleNode
from tests.handle_register import PREFIX, SECRET

ABC, ADM = f"{PREFIX}/ABC", f"{PREFIX}/ADMIN"
OWNER = {"handle": ADM, "index": 300, "permissions": "111111111111"}
ADMIN_VALUE = {"index": 100, "type": "HS_ADMIN", "data": {"format": "admin", "value": OWNER}}
URL = {"index": 1, "type": "URL", "data": {"format": "string", "value": "https://example.org/1"}}
EMAIL = {"index": 2, "type": "EMAIL", "data": "a@example.org"}


def basic(user: str, secret: bytes) -> dict[str, str]:
    token = base64.b64encode(user.encode() + b":" + secret).decode()
    return {"Authorization": f"Basic {token}"}


ALICE = basic(f"300%3A{ADM}", SECRET)


@pytest.fixture(scope="module")
def api(handle_node: HandleNode) -> Iterator[httpx.Client]:
    """Speak HTTPS to the node, trusting the certificate that it made itself."""
    with httpx.Client(base_url=handle_node.https, verify=handle_node.trust(), timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def plain(handle_node: HandleNode) -> Iterator[httpx.Client]:
    """Speak HTTP to the node."""
    with httpx.Client(base_url=handle_node.http, timeout=20) as client:
        yield client


@pytest.fixture
def stranger(handle_node: HandleNode, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Speak HTTPS from an address of the test's own: wrong proofs are counted by address."""
    number = zlib.crc32(request.node.name.encode()) % 60_000
    address = f"127.1.{number // 250}.{number % 250 + 1}"
    transport = httpx.HTTPTransport(verify=handle_node.trust(), local_address=address)
    with httpx.Client(base_url=handle_node.https, transport=transport, timeout=20) as client:
        yield client


@pytest.fixture
def handle(request: pytest.FixtureRequest) -> str:
    """Give the test a handle that nobody else uses."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name).strip("-")
    return f"{PREFIX}/{name.upper()}"


def path(handle: str) -> str:
    return f"/api/handles/{handle}"


def put(
    api: httpx.Client, handle: str, *values: dict[str, Any], query: str = "", **headers: str
) -> httpx.Response:
    return api.put(path(handle) + query, json=[*values], headers=ALICE | headers)


def outcome(response: httpx.Response) -> tuple[int, int]:
    """Return status and response code."""
    return response.status_code, response.json()["responseCode"]


def indexes(response: httpx.Response) -> list[int]:
    return [value["index"] for value in response.json()["values"]]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_api_01_record_is_shown(api: httpx.Client, plain: httpx.Client) -> None:
    for client in (api, plain):
        response = client.get(path(ABC))
        assert outcome(response) == (200, 1)
        assert response.headers["content-type"] == "application/json;charset=utf-8"
        assert response.json()["handle"] == ABC
        assert indexes(response) == [1, 2, 100]
        value = response.json()["values"][0]
        assert value["data"] == {"format": "string", "value": "https://example.org/abc"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value["timestamp"])
        assert [*value] == ["index", "type", "data", "ttl", "timestamp"]
        assert response.json()["values"][2]["data"]["value"]["handle"] == ADM


def test_api_01_handle_is_repeated_as_it_was_asked_for(api: httpx.Client) -> None:
    response = api.get(path(ABC.lower()))
    assert outcome(response) == (200, 1)
    assert response.json()["handle"] == ABC.lower()


def test_api_02_unknown_handle_is_404(api: httpx.Client) -> None:
    response = api.get(path(f"{PREFIX}/NONE"))
    assert response.status_code == 404
    assert response.json() == {"responseCode": 100, "handle": f"{PREFIX}/NONE"}


def test_api_03_unknown_index_is_an_empty_list(api: httpx.Client) -> None:
    response = api.get(path(ABC), params={"index": 9})
    assert outcome(response) == (200, 200)
    assert response.json()["values"] == []


def test_api_04_type_and_index_add_up(api: httpx.Client) -> None:
    assert indexes(api.get(path(ABC), params={"type": "URL", "index": 2})) == [1, 2]


def test_api_05_foreign_prefix_is_not_ours(api: httpx.Client) -> None:
    response = api.get(path("99.9/x"))
    assert outcome(response) == (400, 301)
    assert response.json()["message"] == "That prefix doesn't live here"


@pytest.mark.parametrize("address", ["/api/handles/", "/api/handles"])
def test_api_06_empty_handle_is_invalid(api: httpx.Client, address: str) -> None:
    response = api.get(address)
    assert outcome(response) == (400, 102)
    assert response.json()["message"] == "Empty handle invalid"


def test_api_07_callback_makes_a_script(api: httpx.Client) -> None:
    response = api.get(path(ABC), params={"callback": "a.b"})
    assert response.headers["content-type"] == "application/javascript;charset=utf-8"
    assert response.text.startswith("a_b({")
    assert response.text.endswith("});")


def test_api_07_script_is_made_of_public_values_alone(api: httpx.Client) -> None:
    response = api.get(path(ADM), params={"callback": "f"}, headers=ALICE)
    assert response.headers["content-type"].startswith("application/json")


def test_api_08_write_over_https_is_challenged(api: httpx.Client, handle: str) -> None:
    response = api.put(path(handle), json=[URL])
    assert outcome(response) == (401, 402)
    first, second = response.headers.get_list("www-authenticate")
    assert first == 'Basic realm="handle"'
    assert re.fullmatch(r'Handle sessionId="[^"]+", nonce="[^"]+"', second)


def test_api_08_write_over_http_is_forbidden(plain: httpx.Client, handle: str) -> None:
    for headers in ({}, ALICE):
        response = plain.put(path(handle), json=[URL], headers=headers)
        assert outcome(response) == (403, 402)
        assert "www-authenticate" not in response.headers


def test_api_09_put_creates_then_overwrites(api: httpx.Client, handle: str) -> None:
    first = put(api, handle, URL, ADMIN_VALUE)
    assert first.status_code == 201
    assert first.json() == {"responseCode": 1, "handle": handle}
    second = put(api, handle, URL, EMAIL, ADMIN_VALUE)
    assert second.status_code == 200
    assert second.json() == {"responseCode": 1, "handle": handle}
    assert indexes(api.get(path(handle))) == [1, 2, 100]


@pytest.mark.parametrize(
    "credentials",
    [
        basic(f"300%3A{ADM}", b"wrong"),
        basic(f"300:{ADM}", SECRET),
        basic(f"301%3A{ADM}", SECRET),
        basic(f"300%3A{PREFIX}/NOBODY", SECRET),
        basic("300%3A99.9/x", SECRET),
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer token"},
        {"Authorization": 'Handle sessionId="unknown"'},
    ],
)
def test_api_09_wrong_credentials_are_challenged(
    stranger: httpx.Client, handle: str, credentials: dict[str, str]
) -> None:
    response = stranger.put(path(handle), json=[URL], headers=credentials)
    assert response.status_code == 401
    assert any("error=" in field for field in response.headers.get_list("www-authenticate"))


def test_api_09_any_secret_key_of_the_handle_will_do(api: httpx.Client, handle: str) -> None:
    response = api.put(path(handle), json=[ADMIN_VALUE], headers=basic(ADM, SECRET))
    assert outcome(response) == (201, 1)


def test_api_10_existing_handle_is_not_overwritten_unasked(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, ADMIN_VALUE)
    assert outcome(put(api, handle, URL, query="?overwrite=false")) == (409, 101)
    assert indexes(api.get(path(handle))) == [1, 100]


def test_api_11_indexes_in_query_and_body_agree(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, ADMIN_VALUE)
    response = put(api, handle, EMAIL, query="?index=1")
    assert outcome(response) == (400, 4)
    assert "Mismatched indexes" in response.json()["message"]


def test_api_11_named_indexes_are_written(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, ADMIN_VALUE)
    assert outcome(put(api, handle, EMAIL, query="?index=2")) == (201, 1)
    changed = URL | {"data": "https://example.org/2"}
    assert outcome(put(api, handle, changed, query="?index=1")) == (200, 1)
    assert outcome(put(api, handle, changed, query="?index=1&overwrite=false")) == (409, 201)
    shown = api.get(path(handle)).json()["values"]
    assert [value["index"] for value in shown] == [1, 2, 100]
    assert shown[0]["data"]["value"] == "https://example.org/2"


def test_api_11_values_of_a_missing_handle_are_not_written(api: httpx.Client, handle: str) -> None:
    assert outcome(put(api, handle, URL, query="?index=1")) == (404, 100)


def test_api_12_various_indexes_are_replaced_and_others_kept(
    api: httpx.Client, handle: str
) -> None:
    put(api, handle, URL, EMAIL, {"index": 3, "type": "DESC", "data": "kept"}, ADMIN_VALUE)
    changed = [value | {"data": "changed"} for value in (URL, EMAIL)]
    assert outcome(put(api, handle, *changed, query="?index=various")) == (200, 1)
    shown = {v["index"]: v["data"]["value"] for v in api.get(path(handle)).json()["values"]}
    assert (shown[1], shown[2], shown[3]) == ("changed", "changed", "kept")


def test_api_12_single_value_and_object_are_bodies_too(api: httpx.Client, handle: str) -> None:
    record = {"handle": handle.lower(), "values": [URL, ADMIN_VALUE]}
    assert outcome(api.put(path(handle), json=record, headers=ALICE)) == (201, 1)
    response = api.put(path(handle), params={"index": 2}, json=EMAIL, headers=ALICE)
    assert outcome(response) == (201, 1)
    other = {"handle": ABC, "values": [URL]}
    assert outcome(api.put(path(handle), json=other, headers=ALICE)) == (400, 4)


def test_api_13_only_json_is_taken(api: httpx.Client, handle: str) -> None:
    for media_type in ("text/plain", ""):
        headers = ALICE | {"Content-Type": media_type}
        response = api.put(path(handle), content=json.dumps([URL]), headers=headers)
        assert outcome(response) == (400, 4)
        assert "nsupported media type" in response.json()["message"]
    headers = ALICE | {"Content-Type": "application/json ; charset=utf-8"}
    body = json.dumps([URL, ADMIN_VALUE])
    assert outcome(api.put(path(handle), content=body, headers=headers)) == (201, 1)


@pytest.mark.parametrize("body", ["{", "", "null", "5", '"x"', '{"a":1}', "[null]"])
def test_api_14_malformed_json_is_refused(api: httpx.Client, handle: str, body: str) -> None:
    headers = ALICE | {"Content-Type": "application/json"}
    assert outcome(api.put(path(handle), content=body, headers=headers)) == (400, 4)


def test_api_15_value_without_index_is_refused(api: httpx.Client, handle: str) -> None:
    value = {"type": "URL", "data": "x"}
    assert outcome(put(api, handle, value)) == (400, 4)
    assert outcome(api.put(path(handle), json=value, headers=ALICE)) == (400, 4)


def test_api_16_index_given_twice_is_a_conflict(api: httpx.Client, handle: str) -> None:
    assert outcome(put(api, handle, URL, URL)) == (409, 201)


@pytest.mark.parametrize("index", [0, -1])
def test_api_16_index_that_is_not_positive_is_invalid(
    api: httpx.Client, handle: str, index: int
) -> None:
    assert outcome(put(api, handle, URL | {"index": index})) == (400, 202)


def test_api_17_missing_value_cannot_be_deleted(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, ADMIN_VALUE)
    response = api.delete(path(handle), params={"index": 77}, headers=ALICE)
    assert outcome(response) == (400, 200)


def test_api_17_values_are_deleted_by_index(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, EMAIL, ADMIN_VALUE)
    response = api.delete(path(handle) + "?index=1&index=2", headers=ALICE)
    assert response.status_code == 200
    assert response.json() == {"responseCode": 1, "handle": handle}
    assert indexes(api.get(path(handle))) == [100]


def test_api_18_missing_handle_cannot_be_deleted(api: httpx.Client, handle: str) -> None:
    assert outcome(api.delete(path(handle), headers=ALICE)) == (404, 100)


def test_api_18_deleted_handle_is_gone(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, ADMIN_VALUE)
    assert outcome(api.delete(path(handle))) == (401, 402)
    assert outcome(api.delete(path(handle), headers=ALICE)) == (200, 1)
    assert outcome(api.get(path(handle))) == (404, 100)


def test_api_19_handles_are_listed_by_page(api: httpx.Client) -> None:
    for prefix in (PREFIX, f"0.NA/{PREFIX}"):
        parameters: dict[str, str | int] = {"prefix": prefix, "page": 0, "pageSize": 2}
        response = api.get("/api/handles", params=parameters, headers=ALICE)
        assert outcome(response) == (200, 1)
        listed = response.json()
        assert [*listed] == [
            "responseCode",
            "prefix",
            "totalCount",
            "page",
            "pageSize",
            "handles",
        ]
        assert (listed["prefix"], listed["page"], listed["pageSize"]) == (prefix, 0, 2)
        assert listed["handles"] == sorted(listed["handles"])
        assert len(listed["handles"]) == 2
        assert isinstance(listed["totalCount"], str)


def test_api_19_pages_make_up_the_list(api: httpx.Client) -> None:
    def listed(**page: int) -> list[str]:
        parameters = {"prefix": PREFIX} | page
        response = api.get("/api/handles/", params=parameters, headers=ALICE)
        names: list[str] = response.json()["handles"]
        return names

    whole = listed()
    pages: list[str] = []
    while page := listed(page=len(pages) // 3, pageSize=3):
        pages += page
        if len(page) < 3:
            break
    assert pages == whole
    assert {ABC, ADM} <= {*whole}


def test_api_19_list_is_for_administrators(api: httpx.Client, plain: httpx.Client) -> None:
    assert outcome(api.get("/api/handles", params={"prefix": PREFIX})) == (401, 402)
    assert outcome(plain.get("/api/handles", params={"prefix": PREFIX})) == (403, 402)
    response = api.get("/api/handles", params={"prefix": "99.9"}, headers=ALICE)
    assert outcome(response) == (400, 301)


def test_api_20_page_of_no_size_is_the_count(api: httpx.Client) -> None:
    parameters: dict[str, str | int] = {"prefix": PREFIX, "page": 0, "pageSize": 0}
    response = api.get("/api/handles", params=parameters, headers=ALICE)
    assert response.json()["handles"] == []
    assert int(response.json()["totalCount"]) >= 2


@pytest.mark.parametrize("address", [path(ABC), "/api/site", "/api/nothing"])
def test_api_21_patch_is_unknown(api: httpx.Client, address: str) -> None:
    response = api.patch(address)
    assert outcome(response) == (501, 4)
    assert response.json()["message"] == "Unknown method PATCH"


def certificate_of(key: rsa.RSAPrivateKey, name: str, file: Path) -> ssl.SSLContext:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(file)
    return context


@pytest.fixture(scope="module")
def key(api: httpx.Client) -> rsa.RSAPrivateKey:
    """Make a key and let 86.1000/KEYS hold its public half at 301; it administers its handles."""
    made = rsa.generate_private_key(65537, 2048)
    numbers = made.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "n": b64url(numbers.n.to_bytes(256, "big")),
        "e": b64url(numbers.e.to_bytes(3, "big")),
    }
    public = {"index": 301, "type": "HS_PUBKEY", "data": {"format": "key", "value": jwk}}
    keys = f"{PREFIX}/KEYS"
    assert put(api, keys, public, ADMIN_VALUE).status_code in (200, 201)
    return made


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def owned_by_key(index: int = 301) -> dict[str, Any]:
    owner = {"handle": f"{PREFIX}/KEYS", "index": index, "permissions": "111111111111"}
    return {"index": 101, "type": "HS_ADMIN", "data": {"format": "admin", "value": owner}}


@pytest.mark.parametrize("name", ["301", "0"])
def test_api_22_client_certificate_proves_its_key(
    api: httpx.Client,
    handle_node: HandleNode,
    handle: str,
    key: rsa.RSAPrivateKey,
    tmp_path: Path,
    name: str,
) -> None:
    put(api, handle, ADMIN_VALUE, owned_by_key())
    context = certificate_of(key, f"{name}:{PREFIX}/KEYS", tmp_path / "client.pem")
    headers = {"Authorization": 'Handle clientCert="true"'}
    with httpx.Client(base_url=handle_node.https, verify=context) as client:
        response = client.put(path(handle) + "?index=1", json=URL, headers=headers)
        assert outcome(response) == (201, 1)
        # A certificate that a browser may have sent by itself is no word from its owner.
        assert client.put(path(handle) + "?index=1", json=URL).status_code == 401


def test_api_22_certificate_of_another_key_is_challenged(
    api: httpx.Client,
    handle_node: HandleNode,
    handle: str,
    key: rsa.RSAPrivateKey,
    tmp_path: Path,
) -> None:
    other = rsa.generate_private_key(65537, 2048)
    headers = {"Authorization": 'Handle clientCert="true"'}
    for number, (owner, name) in enumerate(
        [(other, f"301:{PREFIX}/KEYS"), (key, f"300:{PREFIX}/KEYS"), (key, "nobody")]
    ):
        context = certificate_of(owner, name, tmp_path / f"{number}.pem")
        transport = httpx.HTTPTransport(verify=context, local_address="127.2.0.1")
        with httpx.Client(base_url=handle_node.https, transport=transport) as client:
            response = client.put(path(handle), json=[URL], headers=headers)
            assert response.status_code == 401
    response = api.put(path(handle), json=[URL], headers=headers)
    assert response.status_code == 401


def hashed(name: str) -> Callable[[bytes, bytes], bytes]:
    return lambda secret, text: hashlib.new(name, secret + text + secret).digest()


SECRET_PROOFS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "SHA1": hashed("sha1"),
    "SHA256": hashed("sha256"),
    "HMAC-SHA1": lambda secret, text: hmac.digest(secret, text, "sha1"),
    "HMAC-SHA256": lambda secret, text: hmac.digest(secret, text, "sha256"),
}


def proof(nonce: str, alg: str, *, secret: bytes = SECRET) -> dict[str, str]:
    """Answer a challenge with the secret of the administrator."""
    cnonce = b"0123456789abcdef"
    text = base64.b64decode(nonce) + cnonce
    fields = {
        "version": "0",
        "id": f"300:{ADM}",
        "type": "HS_SECKEY",
        "cnonce": b64(cnonce),
        "alg": alg,
    }
    if alg == "PBKDF2-HMAC-SHA1":
        salt = b"salt salt salt 1"
        stretched = hashlib.pbkdf2_hmac("sha1", secret, salt, 1000, 20)
        signature = hmac.digest(stretched, text, "sha1")
        fields |= {"salt": b64(salt), "iterations": "1000", "length": "160"}
    else:
        signature = SECRET_PROOFS[alg](secret, text)
    return fields | {"signature": b64(signature)}


def field_of(parameters: dict[str, str]) -> dict[str, str]:
    """Write an Authorization field of the Handle scheme; `id` is percent-encoded in it."""
    encoded = parameters | {"id": parameters["id"].replace(":", "%3A")}
    return {"Authorization": "Handle " + ", ".join(f'{k}="{v}"' for k, v in encoded.items())}


def open_session(api: httpx.Client) -> dict[str, str]:
    response = api.post("/api/sessions")
    assert response.status_code == 201
    assert response.headers["location"] == "/api/sessions/this"
    opened: dict[str, str] = response.json()
    assert {*opened} == {"sessionId", "nonce"}
    return opened


def in_session(opened: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f'Handle sessionId="{opened["sessionId"]}"'}


@pytest.mark.parametrize("alg", [*SECRET_PROOFS, "PBKDF2-HMAC-SHA1"])
@pytest.mark.parametrize("place", ["header", "body"])
def test_api_23_session_is_authenticated(
    api: httpx.Client, handle: str, alg: str, place: str
) -> None:
    opened = open_session(api)
    answer = proof(opened["nonce"], alg) | {"sessionId": opened["sessionId"]}
    if place == "header":
        response = api.put("/api/sessions/this", headers=field_of(answer))
    else:
        response = api.put("/api/sessions/this", json=answer)
    assert response.status_code == 200
    assert response.json() == opened | {"authenticated": True, "id": f"300:{ADM}"}
    written = api.put(path(handle), json=[ADMIN_VALUE], headers=in_session(opened))
    assert outcome(written) == (201, 1)


def test_api_23_public_key_authenticates_a_session(
    api: httpx.Client, handle: str, key: rsa.RSAPrivateKey
) -> None:
    opened = open_session(api)
    text = base64.b64decode(opened["nonce"]) + b"cnonce"
    answer = {
        "version": "0",
        "sessionId": opened["sessionId"],
        "id": f"0:{PREFIX}/KEYS",
        "type": "HS_PUBKEY",
        "cnonce": b64(b"cnonce"),
        "alg": "SHA256",
        "signature": b64(key.sign(text, padding.PKCS1v15(), hashes.SHA256())),
    }
    response = api.put("/api/sessions/this", json=answer)
    assert response.json() == opened | {"authenticated": True, "id": f"301:{PREFIX}/KEYS"}


def test_api_23_challenge_of_a_write_is_answered_with_the_write(
    api: httpx.Client, handle: str
) -> None:
    refused = api.put(path(handle), json=[ADMIN_VALUE])
    challenge = refused.headers.get_list("www-authenticate")[1]
    opened = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    answer = proof(opened["nonce"], "HMAC-SHA256") | {"sessionId": opened["sessionId"]}
    response = api.put(path(handle), json=[ADMIN_VALUE], headers=field_of(answer))
    assert outcome(response) == (201, 1)


def test_api_23_server_proves_itself(api: httpx.Client) -> None:
    response = api.post("/api/sessions", json={"cnonce": b64(b"client nonce")})
    opened = response.json()
    assert opened["serverAlg"] == "SHA-256"
    server = api.get("/api/site").json()["site"]["servers"][0]
    numbers = {
        name: int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")
        for name, text in server["publicKey"]["value"].items()
        if name != "kty"
    }
    rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key().verify(
        base64.b64decode(opened["serverSignature"]),
        base64.b64decode(opened["nonce"]) + b"client nonce",
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


def test_api_23_session_is_shown_and_ended(api: httpx.Client) -> None:
    opened = open_session(api)
    shown = api.get("/api/sessions/this", headers=in_session(opened))
    assert (shown.status_code, shown.json()) == (200, opened)
    assert api.delete("/api/sessions/this", headers=in_session(opened)).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        response = api.request(method, "/api/sessions/this", headers=in_session(opened))
        assert response.status_code == 403


def test_api_24_wrong_proof_is_refused(stranger: httpx.Client) -> None:
    opened = open_session(stranger)
    answer = proof(opened["nonce"], "SHA256", secret=b"wrong") | {"sessionId": opened["sessionId"]}
    response = stranger.put("/api/sessions/this", json=answer)
    assert response.status_code == 401
    assert response.json() == opened | {"error": "Identity not verified"}


def test_api_24_wrong_proof_leaves_an_authenticated_session_so(stranger: httpx.Client) -> None:
    opened = open_session(stranger)
    right = proof(opened["nonce"], "SHA256") | {"sessionId": opened["sessionId"]}
    wrong = proof(opened["nonce"], "SHA256", secret=b"wrong") | {"sessionId": opened["sessionId"]}
    assert stranger.put("/api/sessions/this", json=right).status_code == 200
    response = stranger.put("/api/sessions/this", json=wrong)
    assert response.status_code == 200
    assert response.json() == opened | {
        "authenticated": True,
        "id": f"300:{ADM}",
        "error": "Identity not verified",
    }


def test_api_24_excessive_work_is_refused_at_once(stranger: httpx.Client) -> None:
    opened = open_session(stranger)
    answer = proof(opened["nonce"], "PBKDF2-HMAC-SHA1") | {
        "sessionId": opened["sessionId"],
        "iterations": "900000000",
    }
    assert stranger.put("/api/sessions/this", json=answer).status_code == 401


def test_api_24_sessions_have_their_addresses_and_methods(
    api: httpx.Client, plain: httpx.Client
) -> None:
    assert api.get("/api/sessions").status_code == 405
    assert api.put("/api/sessions/other").status_code == 403
    assert api.get("/api/sessions/this").json() == {"authenticated": False}
    assert plain.post("/api/sessions").status_code == 403
    assert plain.put("/api/sessions/this", json={}).status_code == 403


def test_api_25_binary_data_is_base64(api: httpx.Client, handle: str) -> None:
    value = {"index": 1, "type": "X", "data": {"format": "hex", "value": "00ff"}}
    put(api, handle, value, ADMIN_VALUE)
    shown = api.get(path(handle), params={"index": 1}).json()["values"]
    assert shown[0]["data"] == {"format": "base64", "value": "AP8="}


def test_api_26_default_permissions_are_left_out(api: httpx.Client, handle: str) -> None:
    values = [URL | {"permissions": "1110"}, EMAIL | {"permissions": "1010"}, ADMIN_VALUE]
    put(api, handle, *values)
    first, second, _ = api.get(path(handle)).json()["values"]
    assert "permissions" not in first
    assert second["permissions"] == "1010"


def test_api_27_long_body_is_refused(api: httpx.Client, handle: str) -> None:
    value = URL | {"data": "x" * 20_000_000}
    response = put(api, handle, value)
    assert response.status_code in (400, 413)
    assert api.get(path(ABC)).status_code == 200


@pytest.mark.parametrize(
    "body",
    ["[" * 100_000, '{"values":' * 100_000, '[{"index":1,"type":"X","data":' + "[" * 100_000],
)
def test_api_28_deep_body_is_refused(api: httpx.Client, handle: str, body: str) -> None:
    headers = ALICE | {"Content-Type": "application/json"}
    assert outcome(api.put(path(handle), content=body, headers=headers)) == (400, 4)


def test_new_suffix_is_minted(api: httpx.Client) -> None:
    response = put(api, f"{PREFIX}/", ADMIN_VALUE, query="?mintNewSuffix=true")
    assert outcome(response) == (201, 1)
    minted = response.json()["handle"]
    assert minted.startswith(f"{PREFIX}/")
    assert indexes(api.get(path(minted))) == [100]


def test_values_that_are_not_public_are_shown_to_administrators(
    api: httpx.Client, plain: httpx.Client, handle: str
) -> None:
    hidden = EMAIL | {"permissions": "1100"}
    put(api, handle, URL, hidden, ADMIN_VALUE)
    assert indexes(api.get(path(handle))) == [1, 100]
    assert indexes(api.get(path(handle), headers=ALICE)) == [1, 2, 100]
    assert indexes(api.get(path(handle), params={"publicOnly": "true"}, headers=ALICE)) == [1, 100]
    asked = {"publicOnly": "false"}
    assert outcome(api.get(path(handle), params=asked)) == (401, 402)
    assert outcome(plain.get(path(handle), params=asked)) == (403, 402)
    assert outcome(api.get(path(handle), params=asked | {"index": 1})) == (200, 1)


def test_value_that_nobody_may_read_is_forbidden(api: httpx.Client, handle: str) -> None:
    put(api, handle, URL, EMAIL | {"permissions": "0100"}, ADMIN_VALUE)
    response = api.get(path(handle), params={"index": 2}, headers=ALICE)
    assert outcome(response) == (403, 401)


def test_stranger_with_a_key_is_no_administrator(
    api: httpx.Client, handle: str, key: rsa.RSAPrivateKey
) -> None:
    put(api, handle, URL, ADMIN_VALUE)
    secret = {"index": 300, "type": "HS_SECKEY", "data": "stranger", "permissions": "1100"}
    stranger = f"{PREFIX}/STRANGER"
    put(api, stranger, secret, ADMIN_VALUE)
    headers = basic(f"300%3A{stranger}", b"stranger")
    assert outcome(api.delete(path(handle), headers=headers)) == (403, 400)


def test_administrator_without_the_right_is_refused(
    api: httpx.Client, handle: str, key: rsa.RSAPrivateKey
) -> None:
    only_add = OWNER | {"permissions": "000001000000"}
    admin = ADMIN_VALUE | {"data": {"format": "admin", "value": only_add}}
    put(api, handle, URL, admin)
    assert outcome(put(api, handle, EMAIL, query="?index=2")) == (201, 1)
    assert outcome(api.delete(path(handle), headers=ALICE)) == (403, 401)


def test_read_parameters_may_come_in_a_form_or_as_json(api: httpx.Client) -> None:
    form = api.post(path(ABC), data={"index": "2"})
    assert (outcome(form), indexes(form)) == ((200, 1), [2])
    as_json = api.post(path(ABC), json={"index": [1, 2]})
    assert indexes(as_json) == [1, 2]
    assert (
        outcome(api.post(path(ABC), content="[", headers={"Content-Type": "application/json"}))[0]
        == 400
    )


def test_head_has_no_body(api: httpx.Client) -> None:
    response = api.head(path(ABC))
    assert (response.status_code, response.content) == (200, b"")
    assert api.head(path(ABC), headers=ALICE).status_code == 200


@pytest.mark.parametrize("address", [path(ABC), "/api/site", "/api/sessions", "/api/prefixes"])
def test_options_tell_the_methods(api: httpx.Client, address: str) -> None:
    page = {"Origin": "https://pages.example.org", "Access-Control-Request-Method": "PUT"}
    response = api.options(address, headers=page)
    assert response.status_code in (200, 204)
    assert "OPTIONS" in response.headers["allow"]
    assert response.headers["access-control-allow-origin"] == page["Origin"]
    assert "PUT" in response.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in response.headers


def test_pages_may_read_the_challenge(api: httpx.Client, handle: str) -> None:
    headers = {"Origin": "https://pages.example.org"}
    response = api.put(path(handle), json=[URL], headers=headers)
    assert response.headers["access-control-allow-origin"] == headers["Origin"]
    assert "WWW-Authenticate" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_unknown_endpoint_is_named(api: httpx.Client, method: str) -> None:
    response = api.request(method, "/api/foo")
    assert outcome(response) == (404, 4)
    assert response.json()["message"] == f"Unknown HTTP API endpoint {method} /api/foo"


def test_known_endpoint_refuses_other_methods(api: httpx.Client) -> None:
    assert outcome(api.put("/api/site", json={})) == (405, 4)
    assert outcome(api.delete("/api/verifications/300:x/y")) == (405, 4)


def test_site_is_shown(api: httpx.Client) -> None:
    response = api.get("/api/site")
    assert outcome(response) == (200, 1)
    site = response.json()["site"]
    assert (site["version"], site["protocolVersion"], site["primarySite"]) == (1, "2.11", True)
    assert site["servers"][0]["publicKey"]["format"] == "key"


def test_prefix_handle_is_shown(api: httpx.Client) -> None:
    response = api.get(path(f"0.NA/{PREFIX}"))
    assert outcome(response) == (200, 1)
    assert {value["type"] for value in response.json()["values"]} >= {"HS_SITE", "HS_ADMIN"}


def test_prefixes_are_listed_homed_and_unhomed(api: httpx.Client) -> None:
    new = "0.NA/86.1000.77"
    assert outcome(api.post(f"/api/prefixes/{new}")) == (401, 402)
    assert outcome(api.post(f"/api/prefixes/{new}", headers=ALICE)) == (200, 1)
    listed = api.get("/api/prefixes", headers=ALICE)
    assert outcome(listed) == (200, 1)
    assert {f"0.NA/{PREFIX}", new} <= {*listed.json()["prefixes"]}
    assert outcome(api.delete(f"/api/prefixes/{new}", headers=ALICE)) == (200, 1)
    assert new not in api.get("/api/prefixes", headers=ALICE).json()["prefixes"]
    assert api.get(f"/api/prefixes/{new}").status_code == 405
    assert outcome(api.post("/api/prefixes", headers=ALICE)) == (400, 4)


def test_foreign_page_cannot_home_a_prefix(api: httpx.Client) -> None:
    headers = ALICE | {"Origin": "https://pages.example.org"}
    assert api.post("/api/prefixes/0.NA/86.1000.78", headers=headers).status_code == 403


def test_proof_is_verified_for_another_server(stranger: httpx.Client) -> None:
    nonce = b64(b"nonce of a server")
    good = proof(nonce, "HMAC-SHA256")
    fields = {name: good[name] for name in ("cnonce", "alg", "signature")} | {"nonce": nonce}
    address = f"/api/verifications/300:{ADM}"
    assert stranger.get(address, params=fields).json() == {
        "responseCode": 1,
        "isValid": True,
        "handle": ADM,
    }
    wrong = fields | {"signature": b64(bytes(32))}
    assert stranger.get(address, params=wrong).json()["isValid"] is False
    assert outcome(stranger.get(address)) == (400, 4)
    by_index = stranger.get(f"/api/verifications/{ADM}", params=fields | {"index": 300})
    assert by_index.json()["isValid"] is True


def test_register_keeps_its_own_addresses(api: httpx.Client) -> None:
    assert api.get("/api/v1/nothing").headers["content-type"] == "application/problem+json"
    assert api.get("/api/docs").status_code == 200
