"""`crosstown rebuild`: compute all cases anew beside the live ones, compare, swap when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crosstown.cli.shell import HomeOption, Output, OutputOption, err, out, print_json, settings
from crosstown.errors import CrosstownError

if TYPE_CHECKING:
    from crosstown.cases.rebuild import Rebuilt


class Differs(CrosstownError):
    """The same sayings gave other cases, and nobody asked for that."""

    exit_code = 1


def command(
    *,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Another number of shards.", show_default="as now")
    ] = None,
    swap: Annotated[bool, typer.Option("--swap", help="Make the new cases the live ones.")] = False,
    accept: Annotated[
        bool, typer.Option("--accept-differences", help="Swap even if they differ unasked.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="S", help="How long to wait, in seconds.")
    ] = 3_600,
    home: HomeOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Compute all cases anew from what was accepted, and say whether they are the same.

    Without --swap nothing changes. With it the new ones go live: this is how another number of
    shards, or a concern's window, takes effect.

    Example: `crosstown rebuild`, then `crosstown rebuild --swap`
    """
    from crosstown.cases.rebuild import Rebuild
    from crosstown.cli.backbone import backbone

    chosen = settings(home)
    where = backbone(chosen)
    with err.status("rebuilding") as status:
        one = Rebuild(chosen, where, lambda text: status.update(f"rebuilding: {text}"), timeout)
        with one.running(partitions) as done:
            allowed = done.same or bool(done.why) or accept
            if swap and allowed:
                one.swap(done)
    swapped = swap and allowed
    if output is Output.JSON:
        print_json(_as_json(done, swapped=swapped))
    else:
        _show(done, swapped=swapped)
    if not allowed:
        raise Differs(
            f"{len(done.differing):,} records differ, though nothing was to change them",
            mend="keep both logs (logs/cases.log, logs/rebuild-cases.log) for a bug report;"
            " crosstown rebuild --swap --accept-differences takes the new ones",
        )


def _as_json(done: Rebuilt, *, swapped: bool) -> dict[str, object]:
    return {
        "generation": done.plan.number, "accepted": done.plan.accepted,
        "timelines": done.plan.timelines, "partitions": done.partitions,
        "messages": done.messages, "seconds": round(done.seconds, 3),
        "cases": done.fresh.cases, "live_cases": done.live.cases,
        "digest": done.fresh.digest, "live_digest": done.live.digest, "same": done.same,
        "differing": len(done.differing), "why": list(done.why), "swapped": swapped,
        "examples": [
            {"key": key, "live_case": now or None, "case": then or None}
            for key, now, then in done.examples()
        ],
    }  # fmt: skip


def _show(done: Rebuilt, *, swapped: bool) -> None:
    rate = done.messages / max(done.seconds, 0.001)
    out.print(f"{done.messages:,} messages of accepted folded anew in {done.seconds:.1f} s"
              f" ({rate:,.0f}/s), {done.partitions} shard{'s' * (done.partitions != 1)}",
              markup=False)  # fmt: skip
    out.print(f"new:  {done.fresh.cases:,} cases, digest {done.fresh.digest}", markup=False)
    out.print(f"live: {done.live.cases:,} cases, digest {done.live.digest}", markup=False)
    if done.same:
        out.print("the same, record by record")
    else:
        out.print(f"{len(done.differing):,} records are in another case, or their case has changed:",
                  markup=False)  # fmt: skip
        for key, now, then in done.examples():
            out.print(f"  {key}: {now or 'none'} -> {then or 'none'}", markup=False)
    for words in done.why:
        out.print(f"because the window has changed: {words}", markup=False)
    if swapped:
        out.print(f"live now: {done.plan.accepted}, {done.plan.timelines}; the casebook is being read"
                  " anew: crosstown stats --wait", markup=False)  # fmt: skip
    else:
        out.print("nothing was changed; to make the new ones live: crosstown rebuild --swap",
                  style="dim", markup=False)  # fmt: skip
