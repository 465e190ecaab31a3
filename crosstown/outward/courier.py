"""Brings one agreement's feed to its receiver's webhook: each message in turn, until it's taken.

    new ──challenge answered──> works ──nothing taken──> fails ──for `webhook_days`──> given up
                                  └<──────taken────────────┘

Delivery: in the order of numbers, at least once, under an id that stays the same. A receiver that was
away gets all that it missed, as far as Kafka still holds it. What it refuses by itself (400, 413, 415,
422) is set aside after five tries; it isn't skipped where the receiver refuses one after another.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from crosstown import metrics
from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import Standing
from crosstown.audit.access import Access
from crosstown.errors import NotFound, Refused, Stop, Unavailable
from crosstown.feeds.json_line import json_line
from crosstown.home import Endpoints
from crosstown.outward import calls
from crosstown.outward.address import Guard
from crosstown.outward.caller import Caller
from crosstown.outward.guarded import Answer
from crosstown.outward.patience import IN_A_ROW, REFUSALS, verdict, wait
from crosstown.outward.places import Place, Places
from crosstown.outward.set_aside import set_aside
from crosstown.outward.signing_secrets import SigningSecrets
from crosstown.outward.today import Contracts, Opened, Today
from crosstown.settings import Settings

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""Messages that are read, and told to the access log, at once."""
PAUSE: Final = 0.5
AFTER_A_FAULT: Final = 10.0
"""Seconds before it's tried again."""
LAST_TRIES: Final = 4
"""How often the end is said, where nobody answers."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all couriers of a process share."""

    settings: Settings
    endpoints: Endpoints
    access: Access
    places: Places
    secrets: SigningSecrets
    guard: Guard
    contracts: Callable[[], Contracts]


class Courier:
    """One agreement's courier: `run` is a thread's work until `stop`; `holds`: whether it may go on."""

    def __init__(
        self, agreement: Agreement, place: Place, means: Means, holds: Callable[[], bool]
    ) -> None:
        self.agreement = agreement
        self.place = place
        self._means, self._holds = means, holds
        self._feed = Today(means.settings, means.endpoints, agreement, means.contracts)
        self._caller = Caller(agreement, means.secrets, means.guard)
        self._waiting: deque[Opened] = deque()
        self._there = False
        self._refusals = self._aside = 0
        self._heard_at = time.monotonic()
        self._asked: int | None = None
        self._ended: Standing | None = None
        self._over, self._wake = threading.Event(), threading.Event()

    def stop(self, ended: Standing | None = None) -> None:
        """Bring nothing any more; `ended`: and tell the receiver that it's over."""
        self._ended = ended
        self._over.set()
        self._wake.set()

    def go_on(self, number: int) -> None:
        """Go on behind this number, whatever happened before: an operator asks."""
        self._asked = number
        self._wake.set()

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._over.is_set():
                try:
                    self._turn()
                except NotFound:  # nothing was ever said in this feed
                    self._pause(PAUSE)
                except (Unavailable, Stop, Refused) as error:
                    log.warning("%s waits: %s", self.agreement.id, error)
                    self._pause(4 * PAUSE)
            if self._ended is not None and self.place.address == self.agreement.delivery.webhook:
                self._say_the_end(self._ended)
        except Exception:
            log.exception("%s: a fault of ours", self.agreement.id)
            self._over.wait(AFTER_A_FAULT)
        finally:
            self._feed.close()
            self._caller.close()

    def _turn(self) -> None:
        """At most one call."""
        if self._asked is not None:
            self._begin_behind(self._asked)
        if not self._holds() or self.place.state == "given up":
            self._pause(PAUSE)
        elif self.place.address != self.agreement.delivery.webhook:
            self._challenge()
        elif self._waiting or self._fetch():
            self._bring(self._waiting[0])
        elif time.monotonic() - self._heard_at >= self._means.settings.webhook_heartbeat:
            self._live()

    def _begin_behind(self, number: int) -> None:
        self._asked, self._refusals, self._aside = None, 0, 0
        self._waiting.clear()
        self._there = False
        self._note(
            replace(self.place, number=number, state="works", failures=0, failing_since=0, why="")
        )

    def _fetch(self) -> bool:
        """Read on; what is read is told to the access log before any of it goes out."""
        if not self._there:
            self._feed.go_behind(self.place.number)
            self._there = True
        try:
            self._waiting = self._feed.next(AT_ONCE, PAUSE)
            if self._waiting:
                first, last = self._waiting[0].said.number, self._waiting[-1].said.number
                if first > self.place.number + 1:
                    log.error("%s: numbers %d to %d are missing: Kafka holds them no longer",
                              self.agreement.id, self.place.number + 1, first - 1)  # fmt: skip
                self._means.access.append(
                    agency=self.agreement.receiver, agreement=self.agreement.id,
                    purpose=self.agreement.purpose, way="webhook", first=first, last=last,
                    count=len(self._waiting),
                )  # fmt: skip
        except BaseException:
            self._waiting.clear()
            self._there = False
            raise
        return bool(self._waiting)

    def _bring(self, one: Opened) -> None:
        number = one.said.number
        line = json_line(one.row).decode()
        answer, why = self._caller.call(
            calls.message(self.agreement.id, number, one.said.said_at, line)
        )
        match verdict(answer.status):
            case "taken":
                self._aside = 0
                self._taken(number)
            case "refuses" if self._refusals + 1 < REFUSALS:
                self._refusals += 1
                self._failed(why, answer)
            case "refuses" if self._aside < IN_A_ROW:
                self._set_aside(one, why)
            case "again":
                self._failed(why, answer)
            case "gone" | "refuses":
                self._give_up(why)

    def _taken(self, number: int) -> None:
        self._waiting.popleft()
        self._refusals = 0
        self._heard_at = time.monotonic()
        self._note(
            replace(self.place, number=number, state="works", failures=0, failing_since=0, why="")
        )
        if not self._waiting:
            self._means.places.settle()

    def _set_aside(self, one: Opened, why: str) -> None:
        self._aside += 1
        set_aside(self._means.settings, self._means.endpoints, self.agreement.topic, one.said, why)
        log.warning("%s: number %d is set aside: %s", self.agreement.id, one.said.number, why)
        self.place = replace(self.place, set_aside=self.place.set_aside + 1)
        self._taken(one.said.number)

    def _challenge(self) -> None:
        """Call the address for the first time: who answers there must have the secret."""
        nonce, now = secrets.token_hex(16), _now()
        answer, why = self._caller.call(calls.challenge(self.agreement.id, nonce, now))
        if verdict(answer.status) == "gone":
            self._give_up(why)
        elif verdict(answer.status) != "taken":
            self._failed(why, answer)
        elif not calls.answers(self._caller.secrets(), nonce, answer.body):
            self._failed("it hasn't answered the challenge with the secret", answer)
        else:
            log.info("%s: %s has answered", self.agreement.id, self.agreement.delivery.webhook)
            self._heard_at = time.monotonic()
            self._note(replace(self.place, state="works", address=self.agreement.delivery.webhook,
                               failures=0, failing_since=0, why=""))  # fmt: skip

    def _live(self) -> None:
        """Say that there is nothing new; whether that was heard is told like anything else."""
        answer, why = self._caller.call(
            calls.heartbeat(self.agreement.id, self.place.number, _now())
        )
        match verdict(answer.status):
            case "gone":
                self._give_up(why)
            case "again":
                self._failed(why, answer)
            case "taken" | "refuses":  # it's there
                self._heard_at = time.monotonic()
                if self.place.failures:
                    self._note(
                        replace(self.place, state="works", failures=0, failing_since=0, why="")
                    )

    def _say_the_end(self, stands: Standing) -> None:
        why = ""
        for failures in range(1, LAST_TRIES + 1):
            answer, why = self._caller.call(
                calls.ended(self.agreement, stands, self.place.number, _now())
            )
            if verdict(answer.status) != "again":
                break
            time.sleep(wait(failures, "", random.random()))  # noqa: S311 - it only spreads calls
        self._note(replace(self.place, state="ended", why=why))

    def _failed(self, why: str, answer: Answer) -> None:
        """Note it and wait, longer each time; give up after days."""
        now = _now()
        since = self.place.failing_since or now
        if now - since > self._means.settings.webhook_days * 86_400_000_000:
            self._give_up(
                f"nothing was taken for {self._means.settings.webhook_days:g} days; {why}"
            )
            return
        failures = self.place.failures + 1
        log.warning("%s: %s, time %d", self.agreement.id, why, failures)
        self._note(
            replace(self.place, state="fails", failures=failures, failing_since=since, why=why)
        )
        self._pause(wait(failures, answer.retry_after, random.random()))  # noqa: S311 - it only spreads calls

    def _give_up(self, why: str) -> None:
        log.error("%s: given up: %s -> crosstown webhook again %s",
                  self.agreement.id, why, self.agreement.id)  # fmt: skip
        self._note(replace(self.place, state="given up", why=why))

    def _note(self, place: Place) -> None:
        self.place = replace(place, asked=False, at=_now())
        self._means.places.write(self.agreement.id, self.place)
        failing = (self.place.at - place.failing_since) / 1e6 if place.failing_since else 0
        metrics.webhook_failing.labels(self.agreement.id).set(failing)
        metrics.webhook_number.labels(self.agreement.id).set(place.number)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        if not self._over.is_set():
            self._wake.clear()


def _now() -> int:
    return time.time_ns() // 1000
