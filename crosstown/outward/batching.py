"""From a feed in Kafka to a batch in a folder: what may go out, from which number on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.now import AgreementsNow
from crosstown.agreements.words import Standing
from crosstown.audit.access import Access
from crosstown.errors import Stop
from crosstown.feeds.form import form
from crosstown.feeds.todays_form import TodaysForm
from crosstown.home import Endpoints, Home
from crosstown.moments import moment
from crosstown.outward.batch import Asked, remove_parts, write_batch
from crosstown.outward.ending import say_the_end
from crosstown.outward.feed_log import FeedLog
from crosstown.outward.files import Format
from crosstown.outward.manifest import Manifest, newest
from crosstown.outward.shelf import Shelf
from crosstown.processes.lock import Lock
from crosstown.registry.client import Registry
from crosstown.settings import Settings


def allowed(agreement: Agreement, stands: Standing, way: str) -> None:
    """Raise `Stop` saying why, unless something may go out under an agreement, this way."""
    name, ways = agreement.id, agreement.delivery.ways
    if not stands.holds:
        raise Stop(f"nothing flows under {name} ({stands.state}): {stands.why}",
                   mend=f"see crosstown agreements show {name}")  # fmt: skip
    if way not in ways:
        raise Stop(f"{name} doesn't go out as {way}, but as {', '.join(ways)}",
                   mend=f"the parties may agree on it: delivery.ways: [..., {way}]")  # fmt: skip


def batch(
    settings: Settings, endpoints: Endpoints, access: Access, agreement: str, shelf: Shelf,
    kind: Format, since: int | None,
) -> Manifest | None:  # fmt: skip
    """Write what a feed says behind `since`, or behind the folder's last manifest; None: nothing new.

    Raises `Stop` where the agreement doesn't let it out, or the folder isn't fit; `Unavailable`. Once
    it's over a notice lies where batches lay.
    """
    with closing(AgreementsNow(settings, endpoints)) as now:
        found = now.agreement(agreement)
        stands = now.standing(agreement, time.time_ns() // 1000)
        today = form(found, now.repository.contracts)
    with _alone(settings, agreement):
        say_the_end(shelf, found, stands)
        allowed(found, stands, "batch")
        remove_parts(shelf, agreement)
        after = newest(shelf, agreement) if since is None else since
        with (
            closing(FeedLog(settings, endpoints, found.topic)) as log,
            Registry.at(settings, endpoints) as registry,
        ):
            last = _end(log, found.topic, after)
            if after == last:
                return None
            access.append(agency=found.receiver, agreement=agreement, purpose=found.purpose,
                          way="batch", first=after + 1, last=last, count=last - after)  # fmt: skip
            log.go_behind(after)
            asked = Asked(found, shelf, kind, after, last, today)
            opened = TodaysForm(found, now.repository.contracts, registry.schema).opened
            return write_batch(asked, log.up_to(last), opened, _now())


def _end(log: FeedLog, topic: str, after: int) -> int:
    """The feed's last number, `after` where nothing is kept of it; `Stop` where `after` lies behind."""
    last = log.numbers().last or after
    if after > last:
        raise Stop(f"{topic} goes up to {last}; there is nothing behind {after}",
                   mend="was the feed made anew? then say --since 0")  # fmt: skip
    return last


@contextmanager
def _alone(settings: Settings, agreement: str) -> Iterator[None]:
    """Nobody else writes a batch of it meanwhile; `Stop` where somebody does."""
    lock = Lock(Home(settings.home).make().run / f"feed-{agreement}.lock")
    if not lock.acquire():
        raise Stop(f"another run writes a batch of {agreement}", mend="wait until it has ended")
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return moment(time.time_ns() // 1000).isoformat().replace("+00:00", "Z")
