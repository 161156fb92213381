"""How this node speaks TLS as a server: versions, ciphers, and a certificate asked of clients.

Clients of the Handle system identify themselves with self-signed certificates whose key stands in
an HS_PUBKEY value. So a certificate is asked for, none is required, and whatever comes is accepted
here: TLS itself proves that the client holds the key, and whether it is the key of the handle that
the certificate names is for `resolver.handle` to judge. Python's `ssl` can ask for a certificate
only by verifying it against authorities; hence pyOpenSSL.

Invariants: TLS 1.2 or later, forward secrecy and AEAD always; no renegotiation. A context is not
changed after its first use: a new certificate makes a new context.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from OpenSSL import SSL, crypto

ServerKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

# The suites of TLS 1.2; those of 1.3 are all good.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_HTTP = b"http/1.1"
# OpenSSL resumes no session of a server that asks for certificates unless the sessions are named.
_SESSION_CONTEXT = b"xibiao"


def server_context(chain: Sequence[Certificate], key: ServerKey) -> SSL.Context:
    """Return the context of a server with this certificate chain, its own certificate first.

    Raises OpenSSL.SSL.Error when key and certificate do not belong together.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    # Clients keep their sessions themselves, in tickets; a cache of ours would only be filled up.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(_SESSION_CONTEXT)
    context.set_verify(SSL.VERIFY_PEER, _accept_any)
    context.set_alpn_select_callback(
        lambda _connection, offered: _HTTP if _HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    context.use_certificate(chain[0])
    for certificate in chain[1:]:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(key)
    context.check_privatekey()
    return context


def tls_extension(connection: SSL.Connection) -> dict[str, object]:
    """Return the entry `tls` of an ASGI scope's extensions (ASGI TLS extension, version 0.2)."""
    certificate = connection.get_peer_certificate(as_cryptography=True)
    chain = [] if certificate is None else [certificate.public_bytes(Encoding.PEM).decode()]
    return {
        "server_cert": None,
        "client_cert_chain": chain,
        "client_cert_name": None if certificate is None else certificate.subject.rfc4514_string(),
        "client_cert_error": None if certificate is None else "not verified by any authority",
        "tls_version": connection.get_protocol_version(),
        "cipher_suite": None,
    }


def _accept_any(
    _connection: SSL.Connection, _certificate: crypto.X509, _error: int, _depth: int, _is_ok: int
) -> bool:
    return True
