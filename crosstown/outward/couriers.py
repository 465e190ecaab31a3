"""Which webhooks are called now: a courier for each agreement in force that has one."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.now import AgreementsNow
from crosstown.agreements.words import Standing
from crosstown.outward.courier import Courier, Means
from crosstown.outward.ending import OVER
from crosstown.outward.places import Place

FRESH: Final = 3.0
"""After so many seconds in which nobody could say that nothing is new of agreements nothing is sent."""
PROOF: Final = 1.0
"""Seconds between two times that it's asked for, and that it may take."""


class Couriers:
    """The couriers of a process; `tend` is called several times a second and doesn't wait."""

    def __init__(self, means: Means, now: AgreementsNow, places: Mapping[str, Place]) -> None:
        self._means, self._now = means, now
        self._places = dict(places)
        self._working: dict[str, tuple[Courier, threading.Thread]] = {}
        self._stands: dict[str, Standing] = {}
        self._looked_at = 0.0

    def tend(self) -> None:
        """Start, stop and replace couriers as the agreements stand; raises `Unavailable`."""
        self._now.look()
        at = _now()
        self._stands = {one: self._now.standing(one, at) for one in self._now.agreements}
        self._prove()
        for name, place in self._means.places.since():
            if place.asked:
                self._asked(name, place)
        for name in {*self._working, *self._now.agreements}:
            self._tend(name, self._now.agreements.get(name))

    def _prove(self) -> None:
        """Note that nothing has been missed up to now; asked once a second."""
        now = time.monotonic()
        if now - self._looked_at >= PROOF and self._now.is_up_to_date(PROOF):
            self._looked_at = now

    def stop(self, patience: float) -> None:
        """Have all of them end; those that are in the middle of a call have `patience` seconds."""
        for courier, _ in self._working.values():
            courier.stop()
        until = time.monotonic() + patience
        for _, thread in self._working.values():
            thread.join(max(0.0, until - time.monotonic()))

    def _tend(self, name: str, agreement: Agreement | None) -> None:
        stands = self._stands.get(name)
        over = stands is not None and stands.state in OVER
        courier, thread = self._working.get(name, (None, None))
        if courier is not None and thread is not None:
            if over or courier.agreement != agreement:
                courier.stop(stands if over else None)
            if not thread.is_alive():
                self._places[name] = courier.place
                del self._working[name]
            return
        if agreement is None or stands is None or "webhook" not in agreement.delivery.ways:
            return
        place = self._places.get(name, Place())
        if stands.holds:
            self._start(agreement, place)
        elif over and place.address and place.state != "ended":
            self._start(agreement, place).stop(stands)

    def _start(self, agreement: Agreement, place: Place) -> Courier:
        courier = Courier(agreement, place, self._means, lambda: self._holds(agreement))
        thread = threading.Thread(target=courier.run, name=agreement.id, daemon=True)
        self._working[agreement.id] = courier, thread
        thread.start()
        return courier

    def _holds(self, agreement: Agreement) -> bool:
        """Whether it may go out at this very moment; what isn't known isn't so."""
        stands = self._stands.get(agreement.id)
        return (
            stands is not None and stands.holds and _now() < stands.ends
            and time.monotonic() - self._looked_at < FRESH
            and self._now.agreements.get(agreement.id) == agreement
        )  # fmt: skip

    def _asked(self, name: str, place: Place) -> None:
        if name in self._working:
            self._working[name][0].go_on(place.number)
        else:
            self._places[name] = place


def _now() -> int:
    return time.time_ns() // 1000
