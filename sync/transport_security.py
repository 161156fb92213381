"""Who may connect to a gRPC server of ours: mutual TLS and pinned public keys, or loopback only.

Invariants: without certificates nothing listens beyond this machine; with them every call, also
health and reflection, comes from a pinned key whose certificate is in force at that moment, however
long its connection lasts. Pins are those of `link_identity`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

import grpc
from cryptography import x509

from node.errors import AccessDenied, InvalidInput
from sync.link_identity import public_key_pin

ANY_NODE = ""


@dataclass(frozen=True, slots=True)
class TransportSecurity:
    """The server's certificate chain and key, and whom it lets in; all files are PEM.

    `pins`: hex SHA-256 of a client's public key -> the node id it may use, or ANY_NODE. Empty:
    nobody is let in, whoever certified him.
    """

    certificate_chain: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes
    pins: Mapping[str, str]


class TransportGuard:
    """Holds the security in force, which may be replaced while connections last."""

    def __init__(self, security: TransportSecurity | None, now_ms: Callable[[], int]) -> None:
        self._security = security
        self._now_ms = now_ms
        self._has_changed = False

    def replace(self, security: TransportSecurity) -> None:
        """Put other certificates and pins into force, for new connections and calls.

        Raises InvalidInput when the server was started without any: it cannot begin to encrypt.
        """
        if self._security is None:
            raise InvalidInput("服务未启用 TLS", "The server was started without TLS")
        self._security, self._has_changed = security, True

    def listen(self, server: grpc.aio.Server, address: str) -> int:
        """Add the address to the server and return the port.

        Raises InvalidInput without TLS for an address that is not loopback.
        """
        if self._security is None:
            require_loopback(address)
            return server.add_insecure_port(address)
        credentials = grpc.dynamic_ssl_server_credentials(
            _certificates(self._security),
            self._fetch,  # type: ignore[arg-type]  # the stubs do not know None: as before
            require_client_authentication=True,
        )
        return server.add_secure_port(address, credentials)

    def check(self, peer_certificate: bytes | None) -> str:
        """Return the node id that a connection may use, ANY_NODE when it may use every one.

        Raises AccessDenied when its public key is not pinned or its certificate has expired.
        """
        if self._security is None:
            return ANY_NODE
        pin, expires_ms = _known(peer_certificate) if peer_certificate else ("", 0)
        node = self._security.pins.get(pin)
        if node is None:
            raise AccessDenied("客户端公钥未登记", "The client's public key is not pinned here")
        if self._now_ms() >= expires_ms:
            raise AccessDenied("客户端证书已过期", "The client's certificate has expired")
        return node

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return changed certificates at a handshake, None when they are as before."""
        if not self._has_changed or self._security is None:
            return None
        self._has_changed = False
        return _certificates(self._security)


def pin_of(certificate: bytes) -> str:
    """Return the pin of a PEM certificate; raise AccessDenied when it cannot be read."""
    return _known(certificate)[0]


@lru_cache(maxsize=256)  # asked with every call of a connection
def _known(certificate: bytes) -> tuple[str, int]:
    """Return the pin of a PEM certificate and its last moment in ms; raises AccessDenied."""
    try:
        read = x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise AccessDenied("客户端证书无法读取", "The client certificate is unreadable") from error
    return public_key_pin(read), int(read.not_valid_after_utc.timestamp() * 1000)


def require_loopback(address: str) -> None:
    """Refuse (InvalidInput) an address `host:port` that other machines can reach."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise InvalidInput(
            f"未启用 TLS 时只能监听本机地址,不能是 {address}",
            f"Without TLS only loopback addresses are listened on, not {address}",
        )


def _certificates(security: TransportSecurity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(security.private_key, security.certificate_chain)], root_certificates=security.client_ca
    )
