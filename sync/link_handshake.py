"""Learns which certificate a peer shows, before anything is said to it.

gRPC for Python neither tells a client its peer's certificate nor lets it check one. So a TLS
handshake of our own comes first: chain, dates and name are checked by OpenSSL, the public key
against the pins here. gRPC then trusts exactly the certificate that was shown and nothing else, so
a connection of its own reaches the holder of the pinned key or nobody.

Invariants: nothing but the beginning of HTTP/2 is sent; the handshake is bounded in time; each way
to be refused has a code of its own, all beginning with `link_certificate`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node.errors import AccessDenied, InvalidInput, ProofInvalid, Unavailable, XibiaoError
from sync.link_identity import LinkFiles, LinkIdentity, public_key_pin

HANDSHAKE_TIMEOUT_S, ANSWER_TIMEOUT_S = 10.0, 3.0
# RFC 9113 §3.4: what a client says first, and the empty SETTINGS frame that follows it.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
# X509_V_ERR_… of OpenSSL (x509_vfy.h) -> code, Chinese, English.
_NOT_TRUSTED = (
    "link_certificate_other_authority",
    "不是由 sync.authority 指定的机构签发",
    "was not issued by the authority of sync.authority",
)
_VERDICTS: Mapping[int, tuple[str, str, str]] = {
    9: ("link_certificate_not_yet_valid", "尚未生效", "is not yet valid"),
    10: ("link_certificate_expired", "已过期", "has expired"),
    18: _NOT_TRUSTED,
    19: _NOT_TRUSTED,
    20: _NOT_TRUSTED,
    21: _NOT_TRUSTED,
    62: ("link_certificate_other_name", "所列名称与其地址不符", "does not name its address"),
    64: ("link_certificate_other_name", "所列名称与其地址不符", "does not name its address"),
}
REFUSALS = frozenset(
    {
        *(code for code, _, _ in _VERDICTS.values()),
        "link_certificate_invalid",
        "link_certificate_not_pinned",
        "link_certificate_own_expired",
        "link_certificate_own_not_yet_valid",
        "link_certificate_own_refused",
        "link_certificate_own_unusable",
    }
)


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """The certificate (PEM) of a peer that passed every check, and until when it will."""

    pem: bytes
    expires_at: datetime


async def shown_certificate(
    address: str, files: LinkFiles, identity: LinkIdentity, pins: Collection[str]
) -> ShownCertificate:
    """Return the certificate that the peer at `address` (host:port) shows.

    `identity` was read from `files`. `pins`: public keys that are accepted; empty: every one that
    the authority certified. Raises ProofInvalid when the certificate is not to be trusted,
    AccessDenied when the peer refuses ours, Unavailable when there is no handshake at all.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                host, int(port), ssl=_context(files, identity), server_hostname=host
            )
    except ssl.SSLCertVerificationError as error:
        raise _refused(address, error) from error
    except (OSError, TimeoutError) as error:
        raise Unavailable(
            f"与 {address} 的 TLS 握手失败:{error}",
            f"No TLS handshake with {address}: {error}",
            code="peer_connection",
        ) from error
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(shown)
        _require_pin(address, certificate, pins)
        await _require_welcome(address, reader, writer)
    finally:
        writer.transport.abort()
    return ShownCertificate(certificate.public_bytes(Encoding.PEM), certificate.not_valid_after_utc)


def _context(files: LinkFiles, identity: LinkIdentity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain, dates and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(cadata=identity.authority.decode())
        # OpenSSL reads these from files only. Should they be replaced just now, the peer sees the
        # other certificate at this handshake; it is its own certificate that we are after.
        context.load_cert_chain(files.certificate, files.private_key)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"无法使用同步证书:{error}",
            f"Cannot use the link certificate: {error}",
            code="link_certificate_own_unusable",
        ) from error
    return context


def _refused(address: str, error: ssl.SSLCertVerificationError) -> XibiaoError:
    code, zh, en = _VERDICTS.get(
        error.verify_code,
        ("link_certificate_invalid", f"无效({error.verify_message})", "is not valid"),
    )
    return ProofInvalid(
        f"二级节点 {address} 的证书{zh}",
        f"The certificate of {address} {en} ({error.verify_message})",
        code=code,
    )


def _require_pin(address: str, certificate: x509.Certificate, pins: Collection[str]) -> None:
    pin = public_key_pin(certificate)
    if pins and pin not in pins:
        raise ProofInvalid(
            f"二级节点 {address} 的公钥 {pin} 与 sync.peer_key 不符",
            f"The public key {pin} of {address} is not the one of sync.peer_key",
            code="link_certificate_not_pinned",
        )


async def _require_welcome(
    address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Raise AccessDenied when the peer hangs up, which is how it refuses our certificate.

    In TLS 1.3 a client has finished its handshake before its certificate is judged (RFC 8446 §2).
    """
    try:
        writer.write(_PREFACE)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            is_welcome = bool(await reader.read(1))
    except TimeoutError:
        return
    except OSError:
        is_welcome = False
    if not is_welcome:
        raise AccessDenied(
            f"二级节点 {address} 不接受本节点的证书",
            f"{address} does not accept our certificate",
            code="link_certificate_own_refused",
        )
