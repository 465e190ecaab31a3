"""The access log's signatures: Ed25519, one key a home. What is signed is a chain up to a link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crosstown.audit.link import Link, Said
from crosstown.errors import Stop
from crosstown.home import Home
from crosstown.settings import Settings


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the public key (64 hex digits) and what makes a signature (128) of some bytes."""

    public: str
    sign: Callable[[bytes], str] = field(repr=False)

    def checkpoint(self, prior: str, said: Said) -> Link:
        """The checkpoint that follows the link with the hash `prior` and signs all up to it."""
        whose = Said(
            chain=said.chain, number=said.number, at=said.at, what="checkpoint", key=self.public,
            signature=self.sign(signed(prior, said)),
        )  # fmt: skip
        return Link.after(prior, whose)


def signed(prior: str, said: Said) -> bytes:
    """The bytes that a checkpoint signs."""
    return f"crosstown access log\n{said.chain}\n{said.number}\n{said.at}\n{prior}\n".encode()


def holds(public: str, signature: str, what: bytes) -> bool:
    """Whether the holder of a key has signed this; False for whatever is no key or signature."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
            bytes.fromhex(signature), what
        )
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint(public: str) -> str:
    """What people compare of a public key: 16 hex digits in fours."""
    said = sha256(public.encode()).hexdigest()[:16]
    return " ".join(said[at : at + 4] for at in range(0, 16, 4))


def signer(settings: Settings) -> Signer:
    """The signer of this home; its key is made at the first asking. `Stop` where it can't be read."""
    try:
        secret = Home(settings.home).audit_key(settings)
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret.decode("ascii")))
    except (OSError, ValueError):
        raise Stop(
            "the key of the access log can't be read: 64 hex digits are needed",
            mend="put back a copy of audit.key in the home, or set CROSSTOWN_AUDIT_KEY",
        ) from None
    return Signer(key.public_key().public_bytes_raw().hex(), lambda what: key.sign(what).hex())
