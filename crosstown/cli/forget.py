"""How `erase`, `hold` and `release` are carried out, and what they say came of it."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crosstown.cli.shell import Output, err, iso, sure
from crosstown.cli.word import Word, tell
from crosstown.erasure.erasures import ERASED, HELD, Key
from crosstown.errors import Stop

AgencyOption = Annotated[
    str,
    typer.Option(metavar="AGENCY", help="Who orders it; the record's own agency unless said.",
                 envvar="CROSSTOWN_AGENCY", show_envvar=True),
]  # fmt: skip
BecauseOption = Annotated[
    str, typer.Option(metavar="REASON", help="The reason. It is kept: it must name nobody.")
]
PATIENCE: Final = 30.0


class Order(Word):
    """An order about one record, which is named by a keyed hash only."""

    def __init__(self, home: Path | None, asked: str, agency: str, by: str, because: str) -> None:
        self.record = asked.strip()
        if self.record.count("/") < 2 or not all(self.record.split("/", 2)):
            raise Stop(f"{asked!r} is no record in full",
                       mend="agency/register/number: an order must not be guessed; see crosstown case")  # fmt: skip
        own = self.record.partition("/")[0]
        super().__init__(home, agency or own, by)
        if not because.strip():
            raise Stop("because of what? a reason is needed", mend='--because "records rule 7"')
        self.because = because.strip()
        number = self.record.split("/", 2)[2]
        if number in self.because or self.record in self.because:
            raise Stop("the reason names the record that is to be forgotten",
                       mend="the reason is kept: say it without")  # fmt: skip
        declared = self.contracts.agencies.get(self.agency)
        if own != self.agency and (declared is None or not declared.may("erase")):
            raise Stop(f"{self.agency} may not order that for a record of {own}",
                       mend=f"{own} orders it, or an agency with the role `erase` in agencies.yaml")  # fmt: skip
        from crosstown.home import Home

        self.home = Home(self.settings.home)
        self.key = Key(self.home.erasure_key(self.settings))

    def order(self, kind: str, *, withdrawn: bool = False) -> Any:
        """Say it; returns the envelope."""
        from crosstown.event.people import erasure

        return self.say(erasure(
            kind, self.key.name(self.record), agency=self.agency, jurisdiction=self.jurisdiction(),
            because=self.because, by=self.by, now=self.now, withdrawn=withdrawn,
        ))  # fmt: skip

    def standing(self, kind: str) -> list[dict[str, Any]]:
        """The orders of a kind that stand for the record, as the casebook knows them."""
        from crosstown.casebook.lookup import Lookup

        lookup = Lookup(self.settings)
        try:
            return [one for one in lookup.erasing(self.record, self.key) if one["kind"] == kind]
        finally:
            lookup.close()

    def until(self, kind: str, *, stands: bool) -> bool:
        """Wait until the order is known to the casebook."""
        deadline = time.monotonic() + PATIENCE
        with err.status("waiting until the programs know of it"):
            while any(one["agency"] == self.agency for one in self.standing(kind)) != stands:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.2)
        return True


def erase(order: Order, *, yes: bool, output: Output) -> None:
    """Have a record forgotten, and say place by place what is erased and when."""
    from crosstown.casebook.lookup import Lookup
    from crosstown.erasure.forgetting import from_dead_letters, from_rejects
    from crosstown.publishing.ledger import Ledger

    lookup = Lookup(order.settings)
    known, naming = lookup.knows(order.record), lookup.naming(order.record)
    lookup.close()
    holds = order.standing(HELD)
    if not yes:
        _confirm(order.record, known=known)
    event = order.order("erased")
    seen = order.until(ERASED, stands=True) and (bool(holds) or _gone(order))
    letters, files, bodies = 0, [], 0
    if not holds:
        letters = from_dead_letters(order.settings, order.where, order.record)
        with Ledger(order.home.ledger) as ledger:
            files = list(from_rejects(ledger.reject_files(), order.record))
            bodies = ledger.forget(order.record)
    within = dt.datetime.now(dt.UTC) + dt.timedelta(hours=order.settings.erasure_hours, minutes=10)
    by = within.isoformat(timespec="minutes").replace("+00:00", "Z")
    places = [] if holds else [
        _place("cases, timelines as they are read", "erased" if seen else "pending", "now"),
        _place("casebook (SQL)", "erased" if seen else "pending", "now"),
        _place("accepted, timelines, alerts: the topics' old segments", "by", by),
        _place(f"dead letters: {letters} found", "by" if letters else "none", by if letters else ""),
        _place("the agency's own topics (events.*), once intake has read them", "by", by),
        _place(f"reject files of this home: {sum(n for _, n in files)} rows", "erased" if files else "none", "now" if files else ""),
        _place(f"what this home would say again: {bodies}", "erased" if bodies else "none", "now" if bodies else ""),
        _place("the agency's own system, exports and other homes' reject files", "not ours", ""),
        _place("backups of this home and of PostgreSQL", "not ours", ""),
    ]  # fmt: skip
    tell(output, {
        "event_id": event.event_id, "record_hash": order.key.name(order.record),
        "agency": order.agency, "by": order.by, "because": order.because,
        "occurred_at": iso(order.now), "known": known, "held_by": [one["agency"] for one in holds],
        "seen": seen, "places": places, "named_by": [name for name, _ in naming],
    }, _lines(order, holds, places, naming, known=known))  # fmt: skip


def _place(place: str, state: str, when: str) -> dict[str, str]:
    return {"place": place, "state": state, "when": when}


def _confirm(record: str, *, known: bool) -> None:
    what = "All that is known of it" if known else "It isn't known here yet; whatever comes of it"
    if not sure(f"{what} will be erased, for good. Erase {record}?", "an erasure can't be undone"):
        raise Stop("not erased", mend="nothing was changed")


def _gone(order: Order) -> bool:
    from crosstown.casebook.lookup import Lookup

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lookup = Lookup(order.settings)
        known = lookup.knows(order.record)
        lookup.close()
        if not known:
            return True
        time.sleep(0.2)
    return False


def _lines(
    order: Order, holds: list[dict[str, Any]], places: list[dict[str, str]],
    naming: list[tuple[str, str]], *, known: bool,
) -> list[str]:  # fmt: skip
    if holds:
        return [
            f"Ordered, but a legal hold stands: {holds[0]['agency']}, {holds[0]['why']}.",
            "The record is kept, and erased once that is released: crosstown release RECORD",
        ]
    lines = [f"Erased: {order.record}" if known else
             f"Ordered: {order.record} isn't known here; what comes of it will not count."]  # fmt: skip
    lines += [f"  {one['state']:8} {one['when']:18} {one['place']}" for one in places]
    if naming:
        lines.append("Other records name it, and are kept; erase them too if they must go:")
        lines += [f"  {name} ({kind})" for name, kind in naming[:20]]
    return lines


def hold(order: Order, output: Output, *, release: bool) -> None:
    """Let a record be kept whatever is ordered, or no longer."""
    if release and not any(one["agency"] == order.agency for one in order.standing(HELD)):
        raise Stop(f"{order.agency} holds no record of that name",
                   mend="who ordered a hold releases it")  # fmt: skip
    event = order.order("held", withdrawn=release)
    seen = order.until(HELD, stands=not release)
    erasing = order.standing(ERASED)
    done = "Released" if release else "Held"
    lines = [f"{done}: {order.record}"]
    if release and erasing:
        lines.append(f"It is erased now, as {erasing[0]['agency']} had ordered.")
    if not release:
        lines.append("No erasure of it is carried out until crosstown release.")
        if erasing:
            lines.append("An erasure was ordered before: what was already erased can't come back.")
    tell(output, {
        "event_id": event.event_id, "record_hash": order.key.name(order.record),
        "agency": order.agency, "by": order.by, "because": order.because,
        "occurred_at": iso(order.now), "released": release, "seen": seen,
    }, lines)  # fmt: skip
    if not seen:
        err.print("The programs don't know of it yet: see crosstown status", markup=False)
