"""How `crosstown agreements revoke` ends an agreement: cut first, then said; and what can't be called back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crosstown.cli.agreed import standing_fields
from crosstown.cli.agreeing import Speaking
from crosstown.cli.shell import Output, err, iso, minute, out, print_json, sure
from crosstown.errors import Stop

if TYPE_CHECKING:
    from crosstown.agreements.agreement import Agreement


def revoke(speaking: Speaking, *, yes: bool, dry_run: bool) -> None:
    """End an agreement for good: the receiver's access is cut first, then the word is said."""
    speaking.needs_reason()
    found = speaking.book.agreement(speaking.id)
    stands = speaking.book.standing(speaking.id)
    if stands is not None and stands.state == "revoked":
        speaking.tell(None, "revoked", [f"{speaking.id} stands revoked already."],
                      **_loses(speaking, found), cut=False)  # fmt: skip
        return
    found = speaking.party_of()
    loses = _loses(speaking, found)
    if dry_run:
        _dry(speaking, found, loses)
        return
    if not yes:
        for line in _lines(found, loses, speaking.book.now):
            err.print(line, markup=False)
        if not sure(f"Revoke {found.id}?", "a revocation can't be undone"):
            raise Stop("not revoked", mend="nothing was changed")
    cut = _cut(speaking, found)
    word = speaking.say("revoked", terms=found.terms)
    speaking.tell(word, "revoked", [
        f"Revoked by {speaking.agency}: {found.id}",
        *(["The receiver's access on Kafka is cut."] if cut else []), *_lines(found, loses, speaking.book.now),
    ], **loses, cut=cut)  # fmt: skip


def _cut(speaking: Speaking, found: Agreement) -> bool:
    """Take the receiver's access at the broker away; whether there was any."""
    from crosstown.feeds.grants import cut

    try:
        return cut(speaking.settings, speaking.where, found)
    except Stop as error:  # a cluster without access rules: nobody was given any there
        err.print(f"access at the broker isn't cut: {error}", markup=False)
        return False


def _loses(speaking: Speaking, found: Agreement) -> dict[str, Any]:
    """Who loses what, what was delivered and can't be called back, and by when it is deleted."""
    from crosstown.agreements.words import DAY
    from crosstown.feeds.told_before import told_before

    last: dict[str, tuple[int, bool]] = {}
    for one in told_before(speaking.settings, speaking.where):
        if one.agreement == found.id:
            last[one.thing] = (one.number, bool(one.digest))
    days = found.delete_within_days
    return {
        "receiver": found.receiver, "ways": list(found.delivery.ways),
        "not_recallable": {
            "last_number": max((number for number, _ in last.values()), default=0),
            found.gives: sum(said for _, said in last.values()),
            "gone_since": sum(not said for _, said in last.values()),
        },
        "delete_by": iso(speaking.book.now + days * DAY) if days is not None else None,
    }  # fmt: skip


def _lines(found: Agreement, loses: dict[str, Any], now: int) -> list[str]:
    from crosstown.agreements.words import DAY

    told = loses["not_recallable"]
    lines = [
        f"{found.receiver} gets nothing more of {', '.join(found.providers)} under {found.id}, for good."
    ]
    if told["last_number"]:
        lines.append(
            f"What it has can't be called back: {_many(told[found.gives], found.gives[:-1])} as last told,"
            f" {told['gone_since']:,} told to be gone; {_many(told['last_number'], 'message')} in all."
        )
    else:
        lines.append("Nothing was ever delivered under it.")
    if found.delete_within_days is not None:
        until = minute(now + found.delete_within_days * DAY)
        lines.append(f"By the agreement {found.receiver} deletes what it has until {until}.")
    return lines


def _dry(speaking: Speaking, found: Agreement, loses: dict[str, Any]) -> None:
    if speaking.output is Output.JSON:
        print_json({"agreement": found.id, "word": "revoked", "party": speaking.agency,
                    "by": speaking.by, "because": speaking.because, "said_at": None,
                    **standing_fields(speaking.book.standing(found.id)), **loses, "cut": False})  # fmt: skip
        return
    for line in [*_lines(found, loses, speaking.book.now), "Nothing was changed."]:
        out.print(line, markup=False)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
