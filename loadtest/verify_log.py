"""Checks a published log without a line of the node's code: standard library and `cryptography`.

    python -m loadtest.verify_log http://127.0.0.1:8080 --log-key VKEY --witness-key VKEY

It reads the checkpoint, checks the log's own signature (C2SP signed-note, Ed25519) and that of each
witness named (C2SP tlog-cosignature v1), fetches every entry bundle (C2SP tlog-tiles) and computes
the root anew (RFC 6962 §2.1). Keys are C2SP verifier keys, got from their owners. Exit status: 0,
or 1 with a sentence about what is wrong.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from urllib.request import urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE_V1 = 1, 4
BUNDLE = 256


class Wrong(Exception):
    """The log is not what its checkpoint says, or the checkpoint is not signed as it must be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the log at an address and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.verify_log")
    parser.add_argument("url", help="节点地址 (address of the node)")
    parser.add_argument("--log-key", required=True, help="日志公钥 (verifier key of the log)")
    parser.add_argument(
        "--witness-key", action="append", default=[], help="见证者公钥 (of a witness; may repeat)"
    )
    given = parser.parse_args(arguments)
    try:
        size, root = verify(given.url, [given.log_key, *given.witness_key])
    except Wrong as wrong:
        print(f"不符 wrong: {wrong}")
        return 1
    print(f"相符 verified: {size} entries, root {root.hex()}")
    return 0


def verify(url: str, keys: Sequence[str]) -> tuple[int, bytes]:
    """Return size and root of the log once everything fits; raises Wrong."""
    note = _get(f"{url}/log/checkpoint")
    text, _, signatures = note.partition(b"\n\n")
    text += b"\n"
    for key in keys:
        _check_signature(text, signatures, key)
    origin, size_line, root_line, *_ = text.split(b"\n")
    if origin.decode() != keys[0].split("+")[0]:
        raise Wrong("the checkpoint is of another log")
    size = int(size_line)
    root = _root(_entries(url, size))
    if root != base64.b64decode(root_line):
        raise Wrong(f"{size} entries do not have the root that was signed")
    return size, root


def _check_signature(text: bytes, signatures: bytes, key: str) -> None:
    name, key_id, encoded = key.split("+", 2)
    kind, public = (blob := base64.b64decode(encoded))[0], blob[1:]
    begin = f"— {name} ".encode()
    for line in signatures.split(b"\n"):
        found = base64.b64decode(line[len(begin) :]) if line.startswith(begin) else b""
        if found[:4].hex() == key_id:
            signed, signature = text, found[4:]
            if kind == COSIGNATURE_V1:
                time_s, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                signed = f"cosignature/v1\ntime {time_s}\n".encode() + text
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
            except InvalidSignature:
                raise Wrong(f"the signature of {name} is bad") from None
            return
    raise Wrong(f"{name} has not signed")


def _entries(url: str, size: int) -> Iterator[bytes]:
    for number in range(-(-size // BUNDLE)):
        width = min(BUNDLE, size - number * BUNDLE)
        digits = f"{number:0{-(-len(str(number)) // 3) * 3}d}"
        path = "".join(f"x{digits[n : n + 3]}/" for n in range(0, len(digits) - 3, 3)) + digits[-3:]
        data = _get(f"{url}/log/tile/entries/{path}" + (f".p/{width}" if width < BUNDLE else ""))
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            yield data[2 : 2 + length]
            data = data[2 + length :]
        if data:
            raise Wrong(f"bundle {number} holds more than {width} entries")


def _root(entries: Iterator[bytes]) -> bytes:
    """Hash leaves and join equal subtrees as they come (RFC 6962 §2.1)."""
    stack: list[tuple[int, bytes]] = []
    for entry in entries:
        stack.append((1, sha256(b"\0" + entry).digest()))
        while len(stack) > 1 and stack[-2][0] == stack[-1][0]:
            (width, left), (_, right) = stack[-2:]
            stack[-2:] = [(2 * width, sha256(b"\1" + left + right).digest())]
    if not stack:
        return sha256(b"").digest()
    _, root = stack.pop()
    while stack:
        root = sha256(b"\1" + stack.pop()[1] + root).digest()
    return root


def _get(url: str) -> bytes:
    with urlopen(url, timeout=30) as answer:  # noqa: S310 - the address is the operator's own
        data: bytes = answer.read()
        return data


if __name__ == "__main__":
    sys.exit(main())
