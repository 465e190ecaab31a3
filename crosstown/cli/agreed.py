"""How `crosstown agreements list` and `show` say where agreements stand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosstown.agreements.book import Book
from crosstown.cli.shell import (
    Output,
    err,
    iso,
    minute,
    out,
    print_json,
    print_json_lines,
    settings,
)
from crosstown.errors import Unavailable

if TYPE_CHECKING:
    from crosstown.agreements.agreement import Agreement
    from crosstown.agreements.requests import Request
    from crosstown.agreements.words import Standing
    from crosstown.contracts.repository import Repository
    from crosstown.settings import Settings


def book(chosen: Settings, repository: Repository) -> Book:
    """The agreements and what was said; where nothing runs what was said isn't known."""
    from crosstown.agreements import word_log
    from crosstown.supervision.running import backbone

    now = time.time_ns() // 1000
    try:
        return Book(repository.agreements, word_log.read(chosen, backbone(chosen)), now)
    except Unavailable as error:
        err.print(f"what the parties have said isn't known now: {error}", markup=False)
        return Book(repository.agreements, None, now)


def listed(home: Path | None, output: Output) -> None:
    """All agreements, and what is asked for."""
    from crosstown.contracts.repository import Repository

    chosen = settings(home)
    said = book(chosen, Repository.of(chosen))
    silent = _quiet(chosen, said)
    rows = [{**_row(said, one), "quiet": one in silent} for one in said.ids]
    if output is Output.JSON:
        print_json_lines(rows)
        return
    for one in rows:
        stands = f"{one['state'] or 'not known now'}" + (f": {one['why']}" if one["why"] else "")
        who = f"{', '.join(one['providers'])} -> {one['receiver']}"
        kind = f" ({one['kind']})" if one["kind"] else ""
        quiet = "\n  quiet: its feed has said nothing for long; is its filter right?" * one["quiet"]
        out.print(f"{one['agreement']}{kind}: {stands}\n  {who}{quiet}", markup=False)
    if not rows:
        out.print("no agreements yet: a file in agreements/ of the contract repository is one")


def _quiet(chosen: Settings, said: Book) -> set[str]:
    from crosstown.agreements.quiet import quiet
    from crosstown.supervision.running import backbone

    if said.words is None:
        return set()
    standings = {one: said.standing(one) for one in said.agreements}
    return quiet(chosen, backbone(chosen), said.agreements.values(), standings, said.now)


def _row(said: Book, agreement: str) -> dict[str, Any]:
    from crosstown.agreements.words import missing

    found, stands = said.agreements.get(agreement), said.standing(agreement)
    asked = said.requests(agreement)
    if found is None:
        last = asked[-1] if asked else None
        return {
            "agreement": agreement, "kind": "", "state": "no file", "why": _asked_why(last),
            "providers": [last.of] if last else [], "receiver": last.party if last else "",
            "gives": "", "begins": None, "ends": None, "missing": [], "terms": "",
            "requests": [request_fields(one) for one in asked],
        }  # fmt: skip
    return {
        "agreement": agreement, "kind": found.kind, **standing_fields(stands),
        "providers": list(found.providers), "receiver": found.receiver, "gives": found.gives,
        "missing": list(missing(found, said.words)) if said.words is not None else [],
        "terms": found.terms, "requests": [request_fields(one) for one in asked],
    }  # fmt: skip


def _asked_why(last: Request | None) -> str:
    if last is None:
        return "it is spoken of, and its file isn't here"
    return f"asked for by {last.party}, {last.answer}"


def standing_fields(stands: Standing | None) -> dict[str, Any]:
    """Where an agreement stands, for programs; `state` None: not known now."""
    if stands is None:
        return {"state": None, "why": "", "begins": None, "ends": None}
    return {"state": stands.state, "why": stands.why, "begins": iso(stands.begins or None),
            "ends": iso(stands.ends or None)}  # fmt: skip


def request_fields(one: Request) -> dict[str, Any]:
    """A request, for programs."""
    return {
        "party": one.party, "of": one.of, "by": one.by, "because": one.because,
        "asked_at": iso(one.asked_at), "answer": one.answer,
        "answered_at": iso(one.answered_at or None), "answer_because": one.answer_because,
        "lapses_at": iso(one.lapses_at),
    }  # fmt: skip


def shown(home: Path | None, asked: str, output: Output) -> None:
    """One agreement in words: what it says, where it stands, who has said what of it."""
    from crosstown.agreements.plain import as_fields, sentences
    from crosstown.agreements.words import accepted_by, delete_by
    from crosstown.contracts.repository import Repository
    from crosstown.feeds.preview import example

    chosen = settings(home)
    repository = Repository.of(chosen)
    said = book(chosen, repository)
    found = said.agreement(asked)
    words = said.of(found.id)
    accepted = accepted_by(found, words)
    parties = [
        {"party": one, "steward": found.stewards[one], "accepted_at": iso(accepted.get(one))}
        for one in found.parties
    ]
    stands = said.standing(found.id)
    deleted = delete_by(found, stands) if stands else 0
    if output is Output.JSON:
        print_json({
            **as_fields(found, repository), **_row(said, found.id), "parties": parties,
            "delete_by": iso(deleted or None), "example": example(found, repository),
            "words": [
                {"word": w.word, "party": w.party, "by": w.by, "at": iso(w.said_at),
                 "because": w.because, "terms": w.terms}
                for w in words
            ],
        })  # fmt: skip
        return
    lines: list[tuple[str, str]] = [
        ("agreement", f"{found.id} ({found.kind})"),
        ("stands", f"{stands.state}: {stands.why}" if stands else "not known now"),
        *sentences(found, repository),
        *((one, _steward(found.stewards[one], accepted.get(one))) for one in found.parties),
        ("terms", found.terms),
        *([("delete by", f"{found.receiver} deletes what it has until {minute(deleted)}")] if deleted else []),
    ]  # fmt: skip
    width = max(len(about) for about, _ in lines)
    for about, words_ in lines:
        out.print(f"{about:{width}}  {words_}", markup=False)
    for word in words:
        old = "" if word.word != "accepted" or word.terms == found.terms else ", of earlier terms"
        why = f": {word.because}" if word.because else ""
        out.print(f"  {minute(word.said_at)} {word.word} by {word.by} for {word.party}{old}{why}",
                  markup=False)  # fmt: skip
    _show_example(example(found, repository), found.receiver)


def _show_example(one: dict[str, Any] | None, receiver: str) -> None:
    if one is None:
        out.print("None of the contracts' examples is covered, so none is shown.")
        return
    for several in ("entries", "links"):
        if several in one["said"]:
            one["said"][several] = one["said"][several][:1]
    out.print(f"What {receiver} would get, made of the contracts' own examples:", markup=False)
    out.print(json.dumps(one, ensure_ascii=False, indent=1), markup=False)


def _steward(steward: str, accepted_at: int | None) -> str:
    when = f"accepted {minute(accepted_at)}" if accepted_at else "has not accepted these terms"
    return f"{steward}: {when}"


def differing(home: Path | None, asked: str, against: Path | None, output: Output) -> None:
    """What a file says otherwise than the terms that were accepted last, or than another file."""
    from crosstown.agreements.differences import accepted_before, differences
    from crosstown.agreements.files import read_agreement
    from crosstown.contracts.repository import Repository

    chosen = settings(home)
    repository = Repository.of(chosen)
    if against is not None:
        found = Book(repository.agreements, None, 0).agreement(asked)
        before: Agreement | None = read_agreement(against)
    else:
        said = book(chosen, repository)
        if said.words is None:
            raise Unavailable("what was accepted isn't known now",
                              mend="crosstown up, or compare with a file: --with FILE")  # fmt: skip
        found = said.agreement(asked)
        before = accepted_before(found, said.words)
    changes = differences(before, found) if before else []
    if output is Output.JSON:
        print_json({
            "agreement": found.id, "before": before.terms if before else None, "after": found.terms,
            "changes": [one._asdict() for one in changes],
        })  # fmt: skip
        return
    for one in changes:
        values = (
            f": {one.before or 'nothing'} -> {one.after or 'nothing'}"
            if one.verb == "changes"
            else ""
        )
        out.print(f"{one.who} {one.verb} {one.what}{values}", markup=False)
    if not changes:
        out.print("nothing differs" if before else "no other terms were ever accepted")
