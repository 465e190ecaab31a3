"""From a feed in Kafka to a batch in a folder: what may go out, from which number on."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.now import AgreementsNow
from crosstown.errors import Stop
from crosstown.feeds.form import form
from crosstown.home import Endpoints, Home
from crosstown.lock import Lock
from crosstown.moments import moment
from crosstown.opened import Opener
from crosstown.outward.access import Access
from crosstown.outward.batch import Asked, remove_parts, write_batch
from crosstown.outward.feed_log import FeedLog
from crosstown.outward.files import Format
from crosstown.outward.manifest import Manifest, newest
from crosstown.registry import Registry
from crosstown.settings import Settings


def allowed(now: AgreementsNow, agreement: str, way: str) -> Agreement:
    """An agreement under which something may go out this way, at this moment; `Stop` saying why not."""
    found = now.agreement(agreement)
    stands = now.standing(agreement, time.time_ns() // 1000)
    if not stands.holds:
        raise Stop(f"nothing flows under {agreement} ({stands.state}): {stands.why}",
                   mend=f"see crosstown agreements show {agreement}")  # fmt: skip
    if way not in found.delivery.ways:
        raise Stop(f"{agreement} doesn't go out as {way}, but as {', '.join(found.delivery.ways)}",
                   mend=f"the parties may agree on it: delivery.ways: [..., {way}]")  # fmt: skip
    return found


def batch(
    settings: Settings, endpoints: Endpoints, access: Access, agreement: str, folder: Path,
    kind: Format, since: int | None,
) -> Manifest | None:  # fmt: skip
    """Write what a feed says behind `since`, or behind the folder's last manifest; None: nothing new.

    Raises `Stop` where the agreement doesn't let it out, or the folder isn't fit; `Unavailable`.
    """
    with closing(AgreementsNow(settings, endpoints)) as now:
        found = allowed(now, agreement, "batch")
        today = form(found, now.repository.contracts)
    lock = Lock(Home(settings.home).make().run / f"feed-{agreement}.lock")
    if not lock.acquire():
        raise Stop(f"another run writes a batch of {agreement}", mend="wait until it has ended")
    try:
        _made(folder)
        remove_parts(folder, agreement)
        after = newest(folder, agreement) if since is None else since
        with closing(FeedLog(settings, endpoints, found.topic)) as log:
            last = log.numbers().last
            if after > last:
                raise Stop(f"{found.topic} goes up to {last}; there is nothing behind {after}",
                           mend="was the feed made anew? then say --since 0")  # fmt: skip
            if after == last:
                return None
            access.append(agency=found.receiver, agreement=agreement, purpose=found.purpose,
                          way="batch", first=after + 1, last=last, count=last - after)  # fmt: skip
            log.go_behind(after)
            with Registry.at(settings, endpoints) as registry:
                asked = Asked(found, folder, kind, after, last, today)
                opened = Opener(registry.schema, today, own=True).row
                return write_batch(asked, log.up_to(last), opened, _now())
    finally:
        lock.release()


def _now() -> str:
    return moment(time.time_ns() // 1000).isoformat().replace("+00:00", "Z")


def _made(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise Stop(f"{folder.parent} isn't there", mend="make it first") from None
    except OSError as error:
        raise Stop(f"{folder} can't be used: {error.strerror or error}",
                   mend="name a folder: --to FOLDER") from None  # fmt: skip
