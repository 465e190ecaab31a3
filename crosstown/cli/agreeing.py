"""How `crosstown agreements` asks, accepts, declines and revokes for a party, and what it says came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from crosstown.cli.agreed import book, standing_fields
from crosstown.cli.shell import Output, iso, minute, out, print_json, settings
from crosstown.errors import Stop, Unavailable

if TYPE_CHECKING:
    from crosstown.agreements.agreement import Agreement
    from crosstown.agreements.words import Word


class Speaking:
    """One party about to say a word of an agreement; raises where it can't be attributed."""

    def __init__(
        self, home: Path | None, agreement: str, agency: str, by: str, because: str, output: Output
    ) -> None:
        from crosstown.cli.backbone import backbone
        from crosstown.contracts.repository import Repository

        self.settings = settings(home)
        self.where = backbone(self.settings)
        self.repository = Repository.of(self.settings)
        self.book = book(self.settings, self.repository)
        if self.book.words is None:
            raise Unavailable(
                "what the parties have said isn't known now", mend="see crosstown status"
            )
        if not agency:
            raise Stop("for which party? no agency is named",
                       mend="--agency ID, or CROSSTOWN_AGENCY once for all; see crosstown agencies")  # fmt: skip
        if not self.repository.agencies.declared(agency):
            raise Stop(f"no agency {agency[:80]} is declared", mend="see crosstown agencies")
        if not by.strip():
            raise Stop("who says so? it must be attributed",
                       mend="--by NAME, or CROSSTOWN_BY once for all")  # fmt: skip
        self.id, self.agency, self.output = agreement, agency, output
        self.by = fitting("--by", by, 100)
        self.because = fitting("--because", because, 500)

    def party_of(self) -> Agreement:
        """The agreement, of which the agency is a party and which isn't revoked."""
        found = self.book.agreement(self.id)
        if self.agency not in found.parties:
            raise Stop(f"{self.agency} is no party of {self.id}",
                       mend=f"its parties are {', '.join(found.parties)}")  # fmt: skip
        stands = self.book.standing(self.id)
        if stands is not None and stands.state == "revoked":
            raise Stop(f"{self.id} stands revoked: {stands.why}",
                       mend="that is final for this id: make a file with another one")  # fmt: skip
        return found

    def needs_reason(self) -> None:
        """Raise where no reason is given."""
        if not self.because:
            raise Stop("because of what? a reason is needed", mend='--because "the pilot is over"')

    def say(
        self,
        word: Literal["requested", "accepted", "declined", "revoked"],
        *,
        terms: str = "",
        of: str = "",
        text: str = "",
    ) -> Word:
        """Say it, once Kafka has it."""
        from crosstown.agreements import word_log
        from crosstown.agreements.words import Word

        last = max((w.said_at for w in self.book.of(self.id)), default=0)
        said = Word(agreement=self.id, word=word, party=self.agency, by=self.by,
                    said_at=max(self.book.now, last + 1 if last < self.book.now + 60_000_000 else 0),
                    terms=terms, because=self.because, of=of, text=text)  # fmt: skip
        word_log.say(self.settings, self.where, said)
        return said

    def tell(self, word: Word | None, name: str, lines: list[str], **more: Any) -> None:
        """What came of it; `word` None: it stood already, and nothing was said."""
        from crosstown.agreements.book import Book

        words = [*(self.book.words or ()), *([word] if word else [])]
        now = max(self.book.now, word.said_at if word else 0)
        stands = Book(self.book.agreements, words, now).standing(self.id)
        if self.output is Output.JSON:
            print_json({
                "agreement": self.id, "word": name, "party": self.agency, "by": self.by,
                "because": self.because, "said_at": iso(word.said_at if word else None),
                **standing_fields(stands), **more,
            })  # fmt: skip
            return
        for line in [*lines, *([f"It stands: {stands.state}: {stands.why}"] if stands else [])]:
            out.print(line, markup=False)


def fitting(option: str, text: str, most: int) -> str:
    """What somebody typed, as one line that can be kept."""
    said = " ".join(text.split())
    if len(said) > most:
        raise Stop(f"{option} has over {most} characters", mend="say it shorter")
    if not said.isprintable():
        raise Stop(f"{option} holds what can't be read", mend="plain text in UTF-8, please")
    return said


def accept(speaking: Speaking) -> None:
    """Accept the terms as the file says them now; by the steward that it names."""
    from crosstown.agreements.words import missing

    found = speaking.party_of()
    steward = found.stewards[speaking.agency]
    if speaking.by.casefold() != " ".join(steward.split()).casefold():
        raise Stop(f"{speaking.by} isn't the steward of {speaking.agency} in {speaking.id}",
                   mend=f"{steward} accepts it, or the file names another steward")  # fmt: skip
    stands = speaking.book.standing(speaking.id)
    if stands is not None and stands.state == "expired" and found.kind == "agreement":
        raise Stop(f"{speaking.id} can't be accepted: {stands.why}",
                   mend="give its file another end, which all parties accept")  # fmt: skip
    if speaking.agency not in missing(found, speaking.book.words or ()):
        speaking.tell(None, "accepted", [f"{speaking.agency} has accepted these terms already."])
        return
    word = speaking.say("accepted", terms=found.terms, text=found.text)
    speaking.tell(
        word,
        "accepted",
        [f"Accepted for {speaking.agency}: {speaking.id}, terms {found.terms[:12]}"],
    )


def decline(speaking: Speaking) -> None:
    """Decline the terms, or what was asked for."""
    from crosstown.agreements.words import accepted_by

    speaking.needs_reason()
    asked = [
        one for one in speaking.book.requests(speaking.id)
        if one.of == speaking.agency and one.answer == "open"
    ]  # fmt: skip
    terms = ""
    if not asked or speaking.id in speaking.book.agreements:
        found = speaking.party_of()
        terms = found.terms
        if speaking.agency in accepted_by(found, speaking.book.of(speaking.id)):
            raise Stop(f"{speaking.agency} has accepted these terms",
                       mend=f"end it: crosstown agreements revoke {speaking.id}")  # fmt: skip
    word = speaking.say("declined", terms=terms)
    speaking.tell(word, "declined", [f"Declined for {speaking.agency}: {speaking.id}"])


def request(speaking: Speaking, of: str) -> None:
    """Ask an owner for an agreement; the owner sees it, answers or lets it lapse."""
    import re

    from crosstown.agreements.words import LAPSES_DAYS
    from crosstown.contracts.agencies import ID

    speaking.needs_reason()
    if not re.match(ID, speaking.id) or len(speaking.id) > 64:
        raise Stop(
            f"{speaking.id[:80]!r} can't be an id", mend="small letters, digits, and - between them"
        )
    if not of or not speaking.repository.agencies.declared(of):
        raise Stop(f"no agency {of[:80]} is declared" if of else "whose events? no agency is named",
                   mend="--of AGENCY; see crosstown agencies")  # fmt: skip
    if of == speaking.agency:
        raise Stop("nobody asks itself", mend="--of another agency")
    if speaking.id in speaking.book.agreements:
        raise Stop(f"there is a file of {speaking.id} already",
                   mend="change it and let all parties accept it, or ask under another id")  # fmt: skip
    for one in speaking.book.requests(speaking.id):
        if one.answer == "open" and (one.party, one.of) == (speaking.agency, of):
            speaking.tell(
                None, "requested", [f"{of} was asked already; it lapses {minute(one.lapses_at)}."]
            )
            return
    word = speaking.say("requested", of=of)
    speaking.tell(word, "requested", [
        f"Asked: {of} sees it under crosstown agreements, and answers within {LAPSES_DAYS} days, or it lapses.",
    ])  # fmt: skip
