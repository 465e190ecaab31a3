"""What the commands by which people say something of records have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crosstown.cli.shell import Output, err, out, print_json, settings
from crosstown.errors import NotFound, Refused, Stop

if TYPE_CHECKING:
    from pathlib import Path

    from crosstown.casebook.lookup import Found
    from crosstown.contracts.repository import Repository
    from crosstown.home import Endpoints
    from crosstown.settings import Settings
    from crosstown.source import Said

BecauseOption = Annotated[
    str, typer.Option(metavar="REASON", help="The reason; every agency in the case reads it.")
]
ByOption = Annotated[
    str,
    typer.Option(metavar="WHO", help="Who says so: a name or a desk.", envvar="CROSSTOWN_BY",
                 show_envvar=True),
]  # fmt: skip
AgencyOption = Annotated[
    str,
    typer.Option(metavar="AGENCY", help="Whose staff they are.", envvar="CROSSTOWN_AGENCY",
                 show_envvar=True),
]  # fmt: skip
WithdrawOption = Annotated[bool, typer.Option("--withdraw", help="Take back what was said before.")]
JurisdictionOption = Annotated[
    str, typer.Option(help="Whose case it is; only needed where several know the record.")
]
PATIENCE: Final = 15.0
"""Seconds in which what was said should be seen in the case."""


@dataclass(frozen=True, slots=True)
class Meant:
    """A record that was asked for; `case` is None where nobody has published it yet."""

    record: str
    jurisdiction: str
    case: Found | None


class Word:
    """One saying, from what was typed to what it changed."""

    def __init__(self, home: Path | None, agency: str, by: str) -> None:
        from crosstown.cli.backbone import backbone
        from crosstown.contracts.repository import Repository

        self.settings: Settings = settings(home)
        self.where: Endpoints = backbone(self.settings)
        self.contracts: Repository = Repository.of(self.settings)
        self.now = time.time_ns() // 1000
        if not agency:
            raise Stop("whose staff says so? no agency is named",
                       mend="--agency ID, or CROSSTOWN_AGENCY once for all; see crosstown agencies")  # fmt: skip
        if not self.contracts.agencies.declared(agency):
            raise Stop(f"no agency {agency} is declared", mend="see crosstown agencies")
        if not by.strip():
            raise Stop("who says so? it must be attributed",
                       mend="--by NAME, or CROSSTOWN_BY once for all")  # fmt: skip
        self.agency, self.by = agency, by.strip()

    def meant(self, asked: str, jurisdiction: str) -> Meant:
        """The record that was typed: in full, its number, or a case (then its first record)."""
        from crosstown.casebook.lookup import Lookup

        lookup = Lookup(self.settings)
        try:
            found = lookup.case(asked, jurisdiction)
        except NotFound as error:
            if error.candidates or asked.count("/") < 2 or not all(asked.split("/", 2)):
                raise
            return Meant(asked, jurisdiction, None)
        finally:
            lookup.close()
        same = [record for record in found.records if asked.strip() == record]
        number = [record for record in found.records if record.split("/", 2)[2] == asked.strip()]
        return Meant((same or number or [found.record])[0], found.jurisdiction, found)

    def jurisdiction(self, *meant: Meant) -> str:
        """The one jurisdiction that all lie in; where nobody knows the records, the agency's own."""
        found = {one.jurisdiction for one in meant if one.jurisdiction}
        if len(found) > 1:
            raise Stop(f"these lie in different jurisdictions: {', '.join(sorted(found))}",
                       mend="a case lies in one; name the other record in a note instead")  # fmt: skip
        agency = self.contracts.agencies.get(self.agency)
        assert agency is not None  # noqa: S101 - it was looked up when this was made
        return found.pop() if found else agency.jurisdiction

    def say(self, said: Said) -> Any:
        """Publish it; returns its envelope. `Stop` where it can't be said so."""
        from crosstown.contracts.checked import Checker
        from crosstown.event.envelope import MAX_HEADLINE
        from crosstown.home import Home
        from crosstown.publishing.ledger import Ledger
        from crosstown.publishing.sending import Sending

        try:
            checked = Checker(self.contracts, self.now, self.now).check(said)
        except Refused as error:
            raise Stop(str(error), mend=error.mend) from None
        if len(checked.envelope.headline) >= MAX_HEADLINE:
            raise Stop(f"that's over {MAX_HEADLINE} characters with the name",
                       mend="say it shorter: it must be read at a counter")  # fmt: skip
        home = Home(self.settings.home)
        with Ledger(home.ledger) as ledger, Sending(self.settings, self.where, ledger) as sending:
            sending.send(checked, lambda _new: None)
            sending.finish()
        return checked.envelope

    def seen(
        self, asked: Iterable[str], jurisdiction: str, said: Callable[[Found], bool]
    ) -> list[Found]:
        """The cases of these records once what was said is in them; what is there after a while else."""
        from crosstown.casebook.lookup import Lookup

        deadline = time.monotonic() + PATIENCE
        records = list(asked)
        with err.status("waiting until it is in the case"):
            while True:
                lookup = Lookup(self.settings)
                found = []
                for record in records:
                    try:
                        found.append(lookup.case(record, jurisdiction))
                    except NotFound:
                        continue
                lookup.close()
                if all(map(said, found)) and len(found) == len(records):
                    return found
                if time.monotonic() > deadline:
                    return found
                time.sleep(0.2)


def knows(event_id: str) -> Callable[[Any], bool]:
    """Whether a case shows an event: as an entry, a link or what people said."""

    def shown(found: Any) -> bool:
        case = found.case
        return (
            any(one["event_id"] == event_id for one in case["entries"])
            or any(one["event_from"] == event_id for one in case["links"])
            or any(one["event_id"] == event_id for one in case["people"])
        )

    return shown


def tell(output: Output, about: dict[str, Any], lines: list[str]) -> None:
    """What came of it, for people or programs."""
    if output is Output.JSON:
        print_json(about)
        return
    for line in lines:
        out.print(line, markup=False)
