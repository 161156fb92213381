"""C2SP signed-note and tlog-cosignature: published notes, round trips and hostile text.

Vectors: the example of C2SP signed-note, the example of the Go package golang.org/x/mod/sumdb/note,
and the key pair of RFC 8032 §7.1 test 1.
"""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.signed_note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Ed25519Cosigner,
    Ed25519Signer,
    SignatureLine,
    SignedNote,
    add_signatures,
    cosign,
    cosignature_message,
    cosignature_time,
    known_signers,
    parse_note,
    parse_verifier_key,
    sign_note,
    verify_note,
)
from node.errors import InvalidInput, ProofInvalid

C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw"
    "HjG1Yu72IneyaQM=\n"
).encode()

GO_SEED = base64.b64decode("gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=")
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
).encode()

RFC8032_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC8032_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

LOG = Ed25519Signer.from_seed("log.example/x", bytes(32))
OTHER = Ed25519Signer.from_seed("other.example/x", bytes([1]) * 32)
WITNESS = Ed25519Cosigner.from_seed("witness.example/w", bytes([2]) * 32)
TEXT = "稀标 example\n42\n".encode()

names = st.from_regex(r"[^\s+\x00-\x1f]{1,20}", fullmatch=True).filter(
    lambda name: not any("\ud800" <= char <= "\udfff" for char in name)
)
lines = st.builds(
    SignatureLine,
    name=names,
    key_id=st.binary(min_size=4, max_size=4),
    signature=st.binary(min_size=1, max_size=80),
)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n"), max_size=60
).map(lambda text: text.encode() + b"\n")
notes = st.builds(SignedNote, text=texts, signatures=st.lists(lines, min_size=1).map(tuple))


def test_the_example_of_the_specification_verifies() -> None:
    note = parse_note(C2SP_NOTE)
    assert note.text == b"This is an example message.\n"
    assert verify_note(note, [parse_verifier_key(C2SP_KEY)]) == ["example.com/foo"]


def test_the_example_of_the_go_package_is_signed_alike() -> None:
    signer = Ed25519Signer.from_seed("PeterNeumann", GO_SEED)
    assert signer.verifier_key() == GO_KEY
    assert sign_note(parse_note(GO_NOTE).text, [signer]) == GO_NOTE


def test_public_key_of_rfc_8032_stands_in_the_verifier_key() -> None:
    name, identifier, material = (
        Ed25519Signer.from_seed("a", RFC8032_SEED).verifier_key().split("+", 2)
    )
    assert (name, len(identifier)) == ("a", 8)
    assert base64.b64decode(material) == b"\x01" + RFC8032_PUBLIC


@given(notes)
def test_notes_round_trip(note: SignedNote) -> None:
    assert parse_note(note.encode()) == note


@given(st.text(alphabet="a\n —+=A", max_size=40).map(str.encode) | st.binary(max_size=80))
def test_a_note_is_refused_or_canonical(data: bytes) -> None:
    try:
        note = parse_note(data)
    except InvalidInput:
        return
    assert note.encode() == data


@given(st.text(max_size=80) | st.binary(max_size=40).map(lambda data: f"a+{data.hex()}+{data!r}"))
def test_hostile_verifier_keys_raise_only_invalid_input(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_verifier_key(text)


SIGNATURE = "— a AAAAAAA="


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n\n",
        f"text\n{SIGNATURE}\n".encode(),
        f"text\n\n{SIGNATURE}".encode(),
        f"text\n\n{SIGNATURE}\n\n".encode(),
        f"\n{SIGNATURE}\n".encode(),
        f"text\r\n\n{SIGNATURE}\n".encode(),
        f"te\x00xt\n\n{SIGNATURE}\n".encode(),
        f"te\txt\n\n{SIGNATURE}\n".encode(),
        b"te\xffxt\n\n" + SIGNATURE.encode() + b"\n",
        b"text\n\n- a AAAAAAA=\n",
        "text\n\n—  a AAAAAAA=\n".encode(),
        "text\n\n— a  AAAAAAA=\n".encode(),
        "text\n\n— a AAAAAAA= \n".encode(),
        "text\n\n— a AAAAAAA\n".encode(),
        "text\n\n— a AAAAAAB=\n".encode(),
        "text\n\n— a AAAA_A==\n".encode(),
        "text\n\n— a AAAAAA==\n".encode(),
        "text\n\n— a \n".encode(),
        "text\n\n— a\n".encode(),
        "text\n\n—  AAAAAAA=\n".encode(),
        "text\n\n— a+b AAAAAAA=\n".encode(),
        "text\n\n— a\u3000b AAAAAAA=\n".encode(),
        "text\n\n— a 稀标\n".encode(),
    ],
)
def test_malformed_notes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_note(data)


def test_the_last_empty_line_separates_text_and_signatures() -> None:
    note = parse_note(f"one\n\n{SIGNATURE}\n\n{SIGNATURE}\n".encode())
    assert note.text == f"one\n\n{SIGNATURE}\n".encode()
    assert len(note.signatures) == 1


def test_64_signatures_are_accepted_and_no_more() -> None:
    line = f"{SIGNATURE}\n"
    assert len(parse_note(f"t\n\n{line * MAX_SIGNATURES}".encode()).signatures) == MAX_SIGNATURES
    with pytest.raises(InvalidInput):
        parse_note(f"t\n\n{line * (MAX_SIGNATURES + 1)}".encode())


def test_a_note_beyond_the_size_limit_is_refused() -> None:
    with pytest.raises(InvalidInput):
        parse_note(b"t" * MAX_NOTE_BYTES + C2SP_NOTE)


def test_signatures_of_all_known_keys_are_named_and_unknown_ones_ignored() -> None:
    note = parse_note(sign_note(TEXT, [OTHER, LOG]))
    log, other = (parse_verifier_key(key.verifier_key()) for key in (LOG, OTHER))
    assert verify_note(note, [log, other]) == ["other.example/x", "log.example/x"]
    assert verify_note(note, [log]) == ["log.example/x"]


def test_a_note_without_a_known_signature_is_refused() -> None:
    note = parse_note(sign_note(TEXT, [OTHER]))
    verifier = parse_verifier_key(LOG.verifier_key())
    assert known_signers(note, [verifier]) == []
    for verifiers in ([verifier], []):
        with pytest.raises(ProofInvalid):
            verify_note(note, verifiers)


def test_a_bad_signature_of_a_known_key_condemns_the_note() -> None:
    note = parse_note(sign_note(TEXT, [LOG, OTHER]))
    verifiers = [parse_verifier_key(key.verifier_key()) for key in (LOG, OTHER)]
    good, bad = note.signatures
    flipped = bytes([bad.signature[0] ^ 1]) + bad.signature[1:]
    for signature in (flipped, bad.signature[:-1], bad.signature + b"\x00", good.signature):
        damaged = replace(note, signatures=(good, replace(bad, signature=signature)))
        with pytest.raises(ProofInvalid):
            verify_note(damaged, verifiers)


@pytest.mark.parametrize("change", [b"43\n", b"42\n\n", b"42 \n"])
def test_another_text_does_not_verify(change: bytes) -> None:
    note = parse_note(sign_note(TEXT, [LOG]))
    with pytest.raises(ProofInvalid):
        verify_note(
            replace(note, text=TEXT.replace(b"42\n", change)),
            [parse_verifier_key(LOG.verifier_key())],
        )


def test_a_key_is_unknown_when_only_name_or_only_id_match() -> None:
    note = parse_note(sign_note(TEXT, [LOG]))
    verifier = parse_verifier_key(LOG.verifier_key())
    (line,) = note.signatures
    for stranger in (replace(line, name="log.example/y"), replace(line, key_id=b"\x00" * 4)):
        assert known_signers(replace(note, signatures=(stranger,)), [verifier]) == []


@pytest.mark.parametrize("text", [b"no newline", b"", b"control\x01\n", b"carriage\r\n", b"\xff\n"])
def test_texts_that_no_note_can_hold_are_not_signed(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        sign_note(text, [LOG])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "++",
        C2SP_KEY.replace("530d903a", "530d903b"),
        C2SP_KEY.replace("530d903a", "530D903A"),
        C2SP_KEY.replace("530d903a", "530d903"),
        C2SP_KEY.replace("example.com/foo", "example.com/fop"),
        C2SP_KEY.replace("example.com/foo", ""),
        C2SP_KEY.replace("example.com/foo", "example.com /foo"),
        C2SP_KEY.replace("example.com/foo", "\ud800"),
        C2SP_KEY.replace("+Aeky", "+Beky"),
        C2SP_KEY[:-4],
        C2SP_KEY + "AAAA",
        C2SP_KEY + "\n",
        "PRIVATE+KEY+" + C2SP_KEY,
    ],
)
def test_malformed_verifier_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_verifier_key(text)


@pytest.mark.parametrize("signature_type", [0x00, 0x02, 0x05, 0x06, 0xFF])
def test_verifier_keys_of_other_types_are_refused(signature_type: int) -> None:
    material = base64.b64encode(bytes([signature_type]) + bytes(32)).decode()
    with pytest.raises(InvalidInput):
        parse_verifier_key(f"a+00000000+{material}")


@pytest.mark.parametrize(("name", "seed"), [("a", bytes(31)), ("", bytes(32)), ("a b", bytes(32))])
def test_bad_names_and_seeds_make_no_keys(name: str, seed: bytes) -> None:
    for kind in (Ed25519Signer, Ed25519Cosigner):
        with pytest.raises(InvalidInput):
            kind.from_seed(name, seed)


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(LOG) == f"Ed25519Signer(name='log.example/x', key_id={LOG.key_id!r})"


def test_the_message_of_a_cosignature_is_that_of_the_specification() -> None:
    # The example of C2SP tlog-cosignature "Ed25519 signed message".
    text = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosignature_message(1679315147, text) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_a_cosigned_note_verifies_for_log_and_witness() -> None:
    note = cosign(parse_note(sign_note(TEXT, [LOG])), WITNESS, time_s=1_795_251_600)
    verifiers = [parse_verifier_key(key.verifier_key()) for key in (LOG, WITNESS)]
    assert verify_note(note, verifiers) == ["log.example/x", "witness.example/w"]
    assert cosignature_time(note.signatures[1]) == 1_795_251_600
    assert parse_note(note.encode()) == note


def test_a_cosignature_binds_its_time() -> None:
    note = cosign(parse_note(sign_note(TEXT, [LOG])), WITNESS, time_s=1000)
    log_line, line = note.signatures
    verifier = parse_verifier_key(WITNESS.verifier_key())
    for time in ((1001).to_bytes(8, "big"), (1 << 63).to_bytes(8, "big"), b""):
        forged = replace(line, signature=time + line.signature[8:])
        with pytest.raises(ProofInvalid):
            verify_note(replace(note, signatures=(log_line, forged)), [verifier])


def test_a_plain_signature_is_no_cosignature() -> None:
    signer = Ed25519Signer.from_seed("witness.example/w", bytes([2]) * 32)
    line = SignatureLine(WITNESS.name, WITNESS.key_id, bytes(8) + signer.sign(TEXT))
    with pytest.raises(ProofInvalid):
        verify_note(SignedNote(TEXT, (line,)), [parse_verifier_key(WITNESS.verifier_key())])
    assert signer.key_id != WITNESS.key_id


@pytest.mark.parametrize("time_s", [-1, 1 << 63])
def test_times_out_of_range_are_not_cosigned(time_s: int) -> None:
    with pytest.raises(InvalidInput):
        cosign(parse_note(C2SP_NOTE), WITNESS, time_s=time_s)


def test_adding_a_signature_twice_keeps_it_once() -> None:
    note = parse_note(sign_note(TEXT, [LOG, OTHER]))
    assert add_signatures(note, note.signatures[:1]) == note
