"""pyhandle 1.5.0, a deployed client, registers, reads, modifies and deletes over HTTPS."""

from __future__ import annotations

import importlib
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.conformance.conftest import HandleNode
from tests.handle_register import ADMIN, KEY_INDEX, PREFIX, SECRET, SECRET_INDEX

USER = f"{SECRET_INDEX}:{ADMIN}"


@pytest.fixture(scope="module")
def pyhandle() -> Any:
    """Give the package; compiling it may bring warnings that are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("pyhandle.handleclient", "pyhandle.clientcredentials"):
            importlib.import_module(name)
        return importlib.import_module("pyhandle")


@pytest.fixture
def client(pyhandle: Any, handle_node: HandleNode) -> Any:
    """Give a client that knows the administrator's secret and trusts the node's certificate."""
    rest = pyhandle.handleclient.PyHandleClient("rest")
    return rest.instantiate_with_username_and_password(
        handle_node.https, USER, SECRET.decode(), HTTPS_verify=str(handle_node.certificate)
    )


@pytest.fixture
def certified_client(pyhandle: Any, handle_node: HandleNode, tmp_path: Path) -> Any:
    """Give a client that identifies itself with a self-signed certificate of the key at 301."""
    key = handle_node.administrator_key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{KEY_INDEX}:{ADMIN}")])
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
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    credentials = pyhandle.clientcredentials.PIDClientCredentials(
        client="rest",
        handle_server_url=handle_node.https,
        certificate_only=str(files[0]),
        private_key=str(files[1]),
    )
    rest = pyhandle.handleclient.PyHandleClient("rest")
    return rest.instantiate_with_credentials(credentials, HTTPS_verify=str(handle_node.certificate))


def test_record_lives_its_whole_life(pyhandle: Any, client: Any) -> None:
    handle = f"{PREFIX}/PYHANDLE-LIFE"
    assert client.retrieve_handle_record(handle) is None
    registered = client.register_handle(handle, "https://example.org/1", checksum="abc")
    assert registered == handle
    record = client.retrieve_handle_record(handle)
    assert (record["URL"], record["CHECKSUM"]) == ("https://example.org/1", "abc")
    with pytest.raises(pyhandle.handleexceptions.HandleAlreadyExistsException):
        client.register_handle(handle, "https://example.org/2")
    client.register_handle(handle, "https://example.org/2", overwrite=True)
    client.modify_handle_value(handle, URL="https://example.org/3", COLOUR="grey")
    record = client.retrieve_handle_record(handle)
    assert (record["URL"], record["COLOUR"]) == ("https://example.org/3", "grey")
    assert client.get_value_from_handle(handle, "URL") == "https://example.org/3"
    client.delete_handle_value(handle, "COLOUR")
    assert "COLOUR" not in client.retrieve_handle_record(handle)
    assert client.delete_handle(handle) == handle
    assert client.retrieve_handle_record(handle) is None
    with pytest.raises(pyhandle.handleexceptions.HandleNotFoundException):
        client.delete_handle(handle)


def test_generated_handle_is_registered(client: Any) -> None:
    handle = client.generate_and_register_handle(PREFIX, "https://example.org/generated")
    record = client.retrieve_handle_record_json(handle)
    assert record["responseCode"] == 1
    owner = next(v for v in record["values"] if v["type"] == "HS_ADMIN")["data"]["value"]
    assert owner == {
        "handle": f"0.NA/{PREFIX}",
        "index": 200,
        "permissions": "011111110011",
    }


def test_parameters_of_reads_are_understood(client: Any) -> None:
    handle = f"{PREFIX}/ABC"
    record = client.retrieve_handle_record_json(handle, auth=True, indices=[1, 2])
    assert [value["index"] for value in record["values"]] == [1, 2]
    record = client.retrieve_handle_record_json(handle, type=["URL"])
    assert [value["type"] for value in record["values"]] == ["URL"]


def test_wrong_secret_is_an_authentication_error(pyhandle: Any, handle_node: HandleNode) -> None:
    rest = pyhandle.handleclient.PyHandleClient("rest")
    client = rest.instantiate_with_username_and_password(
        handle_node.https, USER, "wrong", HTTPS_verify=str(handle_node.certificate)
    )
    with pytest.raises(pyhandle.handleexceptions.HandleAuthenticationError):
        client.register_handle(f"{PREFIX}/PYHANDLE-WRONG", "https://example.org/1")


def test_certificate_is_as_good_as_a_secret(certified_client: Any) -> None:
    handle = f"{PREFIX}/PYHANDLE-CERTIFICATE"
    certified_client.register_handle(handle, "https://example.org/1")
    certified_client.modify_handle_value(handle, URL="https://example.org/2")
    assert certified_client.get_value_from_handle(handle, "URL") == "https://example.org/2"
    certified_client.delete_handle(handle)
    assert certified_client.retrieve_handle_record(handle) is None
