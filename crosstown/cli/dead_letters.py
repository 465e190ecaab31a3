"""`crosstown dead-letters`: what couldn't be accepted: which, why, and saying it again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from crosstown.accepting.replay import Letter, Replay, letters
from crosstown.cli.shell import (
    HomeOption,
    Output,
    OutputOption,
    err,
    iso,
    out,
    print_json,
    settings,
)
from crosstown.errors import NotFound, Stop
from crosstown.screen.screening import clean


class Action(Enum):
    """What to do with them."""

    LIST = "list"
    SHOW = "show"
    REPLAY = "replay"


def command(
    action: Annotated[Action, typer.Argument(help="What to do with them.")] = Action.LIST,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Letters by name: topic/partition/offset."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Only those with this reason.")] = "",
    topic: Annotated[str, typer.Option(help="Only those that lay on this topic.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="replay: do it; without, nothing is sent.")
    ] = False,
    raw: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="show: write the message's bytes there; may be sensitive."
        ),
    ] = None,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Say what couldn't be accepted and why, and say it again once that is mended.

    `replay` tries each letter against the contracts as they are now, and says what would come of it;
    with --yes those that pass are published again, as they were and as of when they were sent. What
    wouldn't pass stays. A letter may hold no bytes, where they hold what is screened: those are read
    from where the message lay.

    Examples: `crosstown dead-letters`, `crosstown dead-letters list --reason unknown-code`,
    `crosstown dead-letters show events.riverton-311.events/0/17`,
    `crosstown dead-letters replay --topic events.riverton-311.events`, the same with `--yes`
    """
    from crosstown.cli.backbone import backbone

    chosen = settings(home)
    where = backbone(chosen)
    asked = set(names or ())
    seen: set[str] = set()

    def wanted(letter: Letter) -> bool:
        if asked and letter.name not in asked:
            return False
        seen.add(letter.name)
        return reason in ("", letter.reason) and topic in ("", letter.topic)

    if raw is not None and (action is not Action.SHOW or len(asked) != 1):
        raise Stop(
            "--raw is for `show` and one letter", mend="crosstown dead-letters show NAME --raw FILE"
        )
    with err.status("reading the dead letters") as status:
        found = letters(chosen, where, wanted)
        match action:
            case Action.LIST:
                shown = _list(found, output)
            case Action.SHOW:
                if not asked:
                    raise Stop("which one?", mend="crosstown dead-letters lists their names")
                shown = [_show(one, output, raw) for one in found]
            case Action.REPLAY:
                replay = _replay(chosen, where)
                shown = _try(
                    found, replay, output,
                    lambda n: status.update(f"saying dead letters again: {n:,}"), send=yes,
                )  # fmt: skip
    if asked - seen:
        raise NotFound(
            f"no dead letter {min(asked - seen)} stands", mend="crosstown dead-letters lists them"
        )
    if not shown and output is Output.HUMAN:
        out.print("no dead letters" + (" of that kind" if reason or topic else ""))


def _about(letter: Letter) -> dict[str, Any]:
    return {
        "name": letter.name, "reason": letter.reason, "detail": letter.detail, "topic": letter.topic,
        "produced_at": iso(letter.produced_at),
    }  # fmt: skip


def _list(found: Any, output: Output) -> list[Any]:
    if output is Output.JSON:
        shown = 0
        for one in found:
            print_json(_about(one))
            shown += 1
        return [shown]
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], Letter] = {}
    for one in found:
        counts[one.topic, one.reason] += 1
        last[one.topic, one.reason] = one
    if not counts:
        return []
    for at, count in counts.most_common():
        topic, reason = at
        out.print(f"{count:,} on {topic}: {reason}", markup=False)
        out.print(f"  {last[at].detail}", markup=False)
        out.print(f"  the last one: {last[at].name}", markup=False)
    out.print(
        "mended? see what would pass now: crosstown dead-letters replay", style="dim", markup=False
    )
    return list(counts)


def _text(data: bytes | None) -> str:
    return clean((data or b"").decode("utf-8", "replace"))


def _show(letter: Letter, output: Output, raw: Path | None) -> Letter:
    if raw is not None and letter.value is None:
        raise Stop(f"{letter.name} holds no bytes: they lie on its topic, at that partition and offset",
                   mend="ask whoever may read the agency's topic")  # fmt: skip
    value = letter.value or b""
    about = _about(letter) | {
        "key": _text(letter.key),
        "headers": {name: _text(data) for name, data in letter.headers},
        "bytes": len(value), "sha256": hashlib.sha256(value).hexdigest(),
        "here": letter.value is not None,
    }  # fmt: skip
    if raw is not None:
        raw.touch(0o600)
        raw.write_bytes(value)
    if output is Output.JSON:
        print_json(about)
        return letter
    for name, said in about.items():
        out.print(f"{name:12} {said}", markup=False)
    closed = "the message itself stays closed; into a file: --raw FILE"
    if letter.value is None:
        closed = "it holds no bytes: they lie on its topic only, at that partition and offset"
    out.print(f"its bytes are in {raw}" if raw else closed, style="dim", markup=False)  # fmt: skip
    return letter


def _replay(chosen: Any, where: Any) -> Replay:
    from crosstown.contracts.repository import Repository
    from crosstown.erasure.erasures import Key
    from crosstown.home import Home
    from crosstown.registry.client import Registry

    key = Key(Home(chosen.home).erasure_key(chosen))
    return Replay(
        chosen, where, Repository.of(chosen), Registry.at(chosen, where).schema, key.fingerprint
    )


def _try(
    found: Any, replay: Replay, output: Output, say: Callable[[int], None], *, send: bool
) -> list[Any]:
    refused: Counter[tuple[str, str]] = Counter()
    why: dict[tuple[str, str], str] = {}
    passing: Counter[str] = Counter()

    def good() -> Any:
        for tried in replay.whole(found):
            one, error = tried if isinstance(tried, tuple) else (tried, replay.tried(tried))
            if error is None:
                passing[one.topic] += 1
                yield one
            else:
                refused[one.topic, error.reason] += 1
                why[one.topic, error.reason] = clean(
                    f"{error.detail} -> {error.mend}" if error.mend else error.detail
                )

    sent = replay.send(good(), say) if send else sum(0 for _ in good())
    if output is Output.JSON:
        print_json({
            "sent": sent, "would_pass": sum(passing.values()),
            "refused": [
                {"topic": topic, "reason": reason, "letters": n, "detail": why[topic, reason]}
                for (topic, reason), n in sorted(refused.items())
            ],
        })  # fmt: skip
        return [1]
    for topic, n in sorted(passing.items()):
        out.print(
            f"{n:,} of {topic} {'were said again' if send else 'would pass now'}", markup=False
        )
    for (topic, reason), n in sorted(refused.items()):
        out.print(f"{n:,} of {topic} {'stay' if send else 'would be refused again'}: {reason}:"
                  f" {why[topic, reason]}", markup=False)  # fmt: skip
    if sent:
        out.print("see what came of it: crosstown stats --wait", style="dim", markup=False)
    elif passing:
        out.print("nothing was sent; do it: the same with --yes", style="dim", markup=False)
    return [*passing, *refused]
