"""That it's over, said where batches lay: why, and by when what was received must be deleted."""

from __future__ import annotations

import json
from typing import Final

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Standing
from crosstown.outward.calls import ending
from crosstown.outward.manifest import newest
from crosstown.outward.shelf import Shelf

OVER: Final = ("revoked", "expired")


def say_the_end(shelf: Shelf, agreement: Agreement, stands: Standing) -> None:
    """Put `<agreement>.ended.json` beside its batches, where there are any; once it holds again: away.

    It says what the last call of a webhook says (docs/webhooks.md).
    """
    name = f"{agreement.id}.ended.json"
    if "batch" not in agreement.delivery.ways or not (stands.holds or stands.state in OVER):
        return
    there = name in shelf.names()
    if stands.holds and there:
        shelf.remove(name)
    elif not stands.holds and not there and (number := newest(shelf, agreement.id)):
        with shelf.appearing(agreement.id, name) as stream:
            said = {"agreement": agreement.id, **ending(agreement, stands, number)}
            stream.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")
