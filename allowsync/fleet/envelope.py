"""Signed envelopes: DSSE with Ed25519 (RFC 8032), sealing and opening.

DSSE (github.com/secure-systems-lab/dsse, version 1) signs the type of a payload together with its
octets, so nothing is interpreted before it is verified. A carrier of an envelope can withhold it,
and no more.

A large payload is compressed (zlib, RFC 1950) before it is signed, under a type of its own: so
unverified octets are never decompressed.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from allowsync.fleet.document import LARGEST as LARGEST_PAYLOAD
from allowsync.fleet.fields import DocumentError, Fields

if TYPE_CHECKING:
    from collections.abc import Collection

TYPE: Final = "application/vnd.allowsync.list+json"
COMPRESSED: Final = "application/vnd.allowsync.list+json+zlib"
COMPRESSED_FROM: Final = 64 * 1024  # octets; smaller payloads stay readable
LARGEST: Final = 90 * 1024 * 1024  # octets: the largest payload, as base64
_MOST_SIGNATURES: Final = 8
PUBLIC: Final = "ed25519:"
PRIVATE: Final = "ed25519-private:"
_KEY_OCTETS: Final = 32


def sealed(payload: bytes, signing_key: str) -> bytes:
    """A payload in a signed envelope.

    Args:
        payload: The octets to sign.
        signing_key: The private key, as made by `new_signing_key`.

    Raises:
        DocumentError: The key is invalid.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    small = len(payload) < COMPRESSED_FROM
    kind, carried = (TYPE, payload) if small else (COMPRESSED, zlib.compress(payload))
    signature = Ed25519PrivateKey.from_private_bytes(_octets(signing_key, PRIVATE)).sign(
        _encoding(kind, carried)
    )
    envelope = {
        "payload": b64encode(carried).decode(),
        "payloadType": kind,
        "signatures": [{"keyid": public_key_of(signing_key), "sig": b64encode(signature).decode()}],
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def opened(envelope: bytes, keys: Collection[str]) -> bytes:
    """The payload of an envelope that one of these keys signed.

    Args:
        envelope: The envelope.
        keys: The trusted public keys.

    Raises:
        DocumentError: It is no envelope, or none of these keys signed it.
    """
    fields = Fields(_parsed(envelope))
    kind = fields.text("payloadType", most=100)
    if kind not in (TYPE, COMPRESSED):
        raise DocumentError("it is an envelope of something else")
    carried = _decoded(fields.text("payload", most=LARGEST))
    signatures = [
        (one.text("keyid", most=100, default=""), _decoded(one.text("sig", most=100)))
        for one in fields.objects("signatures", _MOST_SIGNATURES)
    ]
    signed = _encoding(kind, carried)
    if any(_is_signed(signed, signature, key) for _, signature in signatures for key in keys):
        return carried if kind == TYPE else _decompressed(carried)
    if keys and not {keyid for keyid, _ in signatures} & set(keys):
        raise DocumentError("it is signed by no key that is trusted here (fleet.keys)")
    raise DocumentError("its signature is wrong")


def new_signing_key() -> str:
    """A new private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = Ed25519PrivateKey.generate()
    octets = made.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return PRIVATE + b64encode(octets).decode()


def public_key_of(signing_key: str) -> str:
    """The public key of a private one. Raises DocumentError where the key is invalid."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = Ed25519PrivateKey.from_private_bytes(_octets(signing_key, PRIVATE))
    return (
        PUBLIC
        + b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    )


def _is_signed(signed: bytes, signature: bytes, key: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(_octets(key, PUBLIC)).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _encoding(kind: str, payload: bytes) -> bytes:
    """The signed octets: the pre-authentication encoding of DSSE."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def _decompressed(carried: bytes) -> bytes:
    """Decompressed octets, at most as many as a payload may have."""
    stream = zlib.decompressobj()
    try:
        payload = stream.decompress(carried, LARGEST_PAYLOAD)
    except zlib.error:
        raise DocumentError("it holds what cannot be decompressed") from None
    if not stream.eof or stream.unused_data:
        raise DocumentError("it is cut short, or larger than 64 MiB once it is decompressed")
    return payload


def _octets(key: str, prefix: str) -> bytes:
    """The octets of a key written as text. Raises DocumentError where the text is no key."""
    octets = _decoded(key.removeprefix(prefix)) if key.startswith(prefix) else b""
    if len(octets) != _KEY_OCTETS:
        raise DocumentError(f"a key is {prefix} and 32 octets as base64 (allowsync fleet keygen)")
    return octets


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise DocumentError("it holds what is no base64") from None


def _parsed(envelope: bytes) -> Any:
    if not envelope:
        raise DocumentError("it is empty")
    if len(envelope) > LARGEST:
        raise DocumentError("it is larger than 90 MiB")
    try:
        return json.loads(envelope)
    except (ValueError, RecursionError):
        raise DocumentError("it is no JSON") from None
