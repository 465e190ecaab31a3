"""Signatures of webhooks, by which a receiver knows who called; and the receiver's answer to a challenge.

Pure. Source: Standard Webhooks 1.0.0 (symmetric signatures, `v1`): headers `webhook-id`,
`webhook-timestamp` (seconds), `webhook-signature`, one signature for each secret that still holds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from crosstown.errors import Refused

PREFIX: Final = "whsec_"
TOLERANCE: Final = 300
"""Seconds by which the receiver's clock and ours may differ."""


def signed(secrets: Iterable[str], name: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of a webhook called `name`, sent at `at` (seconds since 1970)."""
    if "." in name:
        raise ValueError(f"{name!r}: a dot would let one webhook be read as another")
    said = f"{name}.{at}.".encode() + body
    return {"webhook-id": name, "webhook-timestamp": str(at),
            "webhook-signature": " ".join(f"v1,{_mac(one, said)}" for one in secrets)}  # fmt: skip


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: int) -> str:
    """What a receiver does: the id of a webhook that whoever has the secret sent just now.

    Raises `Refused` (webhook-signature) for anything else. `headers` by their names in small letters.
    """
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(now - int(at[:12])) > TOLERANCE:
        raise Refused("webhook-signature", f"its time is not within {TOLERANCE} s of now")
    mine = _mac(secret, f"{name}.{at}.".encode(errors="replace") + body).encode()
    for one in headers.get("webhook-signature", "").split():
        version, _, signature = one.partition(",")
        if version == "v1" and hmac.compare_digest(signature.encode(errors="replace"), mine):
            return name
    raise Refused("webhook-signature", "no signature in it is of this secret")


def answer_to(secret: str, challenge: str) -> str:
    """What only who has the secret can say to a challenge, base64."""
    return _mac(secret, f"answer:{challenge}".encode())


def _mac(secret: str, said: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("webhook-secret", f"it isn't {PREFIX} and base64") from None
    return base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
