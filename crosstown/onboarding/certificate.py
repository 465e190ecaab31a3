"""What a certificate says: what was tried with an agency's own sample, and what held.

Pure: `as_json` and `as_html` of one `Certificate`. No cell of a sample stands in it: rows are named
by their number, rejects by their reason's word. Source of what is tried: docs/decisions/0020.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried; `holds` is None where it couldn't be, `detail` says why."""

    what: str
    holds: bool | None
    detail: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """All of it. `digests` are SHA-256 by file, `at` ISO 8601 UTC."""

    agency: str
    called: str
    at: str
    trials: tuple[Trial, ...]
    counts: Mapping[str, int]
    rejected: Mapping[str, int]
    versions: Mapping[str, str]
    contracts: Sequence[str]
    digests: Mapping[str, str]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether all held that was tried, and something was."""
        tried = [one.holds for one in self.trials if one.holds is not None]
        return bool(tried) and all(tried)


NOT_TRIED: Final = (
    "whether a field that is marked public has nothing in it that isn't: that is the owner's word",
    "whether other agencies' records are joined with these as people would join them",
    "how much a night brings, for how long, and what happens when a disk is full or a network fails",
    "who may read and write on the city's own cluster, and whether a password is kept well",
    "whether the file really comes every night: this was one file, tried once",
)
"""What no certificate says."""
COUNTS: Final = {
    "examples": "examples of the contract", "rows": "rows read from the sample",
    "published": "events published", "already_known": "events said before, not sent again",
    "rejected": "rows rejected before sending", "accepted": "events accepted by intake",
    "dead_letters": "dead letters (one is sent on purpose)", "records": "records", "cases": "cases",
}  # fmt: skip
"""The counts in the order in which data flows, in words."""
_WORDS: Final = {True: "holds", False: "does not hold", None: "not tried"}


def as_json(one: Certificate) -> dict[str, Any]:
    """The certificate for programs."""
    return {
        "agency": one.agency, "at": one.at, "holds": one.holds, "contracts": list(one.contracts),
        "trials": [
            {"what": t.what, "holds": t.holds, "detail": t.detail, "seconds": round(t.seconds, 2)}
            for t in one.trials
        ],
        "counts": dict(one.counts), "rejected_by_reason": dict(one.rejected),
        "not_tried": list(NOT_TRIED), "versions": dict(one.versions),
        "sha256": dict(one.digests), "seconds": round(one.seconds, 1),
    }  # fmt: skip


_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Segoe UI", sans-serif; color: #1b1f24; background: #fff;
  margin: 0 auto; max-width: 60rem; padding: 2rem 1.5rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; max-width: 46rem; }
.verdict { margin: 1.2rem 0; padding: .8rem 1rem; border-left: .4rem solid; font-size: 1.05rem; }
.yes { border-color: #1a7f37; background: #eef7f0; }
.no { border-color: #b3261e; background: #fcefee; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem .45rem 0;
  border-bottom: 1px solid #d5d9de; }
thead th { font-size: .85rem; color: #57606a; border-bottom: 2px solid #8c959f; }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.n { text-align: right; }
tbody th { font-weight: 600; width: 38%; }
.mark { white-space: nowrap; font-weight: 600; }
td.holds { color: #1a6b31; } td.fails { color: #b3261e; } td.open { color: #57606a; }
.counts { max-width: 30rem; }
.counts th { width: auto; font-weight: 400; }
code { font: .82rem/1.4 ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
@media print { body { padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  tr { break-inside: avoid; } }
@media (max-width: 40rem) { tbody th { width: auto; } }
"""


def as_html(one: Certificate) -> str:
    """The certificate for people: one page that needs nothing else, to be printed too."""
    said = ("All that was tried holds." if one.holds else
            "Something that was tried does not hold, or nothing could be tried.")  # fmt: skip
    tried = (
        f"What Crosstown made of this agency's own sample, tried on {_(one.at[:16].replace('T', ' '))}"
        f" UTC in {one.seconds:.0f} seconds, in a place apart from any running installation."
    )
    title = f"Certificate: {one.called}"
    parts = [
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_(title)}</title>", f"<style>{_STYLE}</style>", "</head>", "<body>", "<main>",
        f"<h1>{_(title)}</h1>",
        f"<p>{tried}</p>",
        f'<p class="verdict {"yes" if one.holds else "no"}"><strong>{said}</strong></p>',
        f"<p>Contracts: {_(', '.join(one.contracts) or 'none')}.</p>",
        *_section("What was tried", _trials(one.trials)),
        *_section("Counts", _counts(one)),
        *_section("What was not tried", ["<ul>", *(f"<li>{_(w)}</li>" for w in NOT_TRIED), "</ul>"]),
        *_section("With what", _pairs("part", "version", one.versions.items())),
        *_section("Of what: SHA-256", _pairs("file", "digest", one.digests.items(), code=True)),
        "</main>", "</body>", "</html>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _(text: str) -> str:
    return html.escape("".join(c if c.isprintable() else "?" for c in text))


def _section(title: str, body: Iterable[str]) -> list[str]:
    return [f"<h2>{title}</h2>", *body]


def _trials(trials: Sequence[Trial]) -> Iterable[str]:
    yield "<table>"
    yield ('<thead><tr><th scope="col">What</th><th scope="col">Result</th><th scope="col">Seen</th>'
           '<th scope="col" class="n">Seconds</th></tr></thead><tbody>')  # fmt: skip
    for one in trials:
        style = {True: "holds", False: "fails", None: "open"}[one.holds]
        sign = {True: "✓", False: "✗", None: "?"}[one.holds]
        yield (f'<tr><th scope="row">{_(one.what)}</th><td class="mark {style}">'
               f'<span aria-hidden="true">{sign}</span> {_WORDS[one.holds]}</td>'
               f'<td>{_(one.detail)}</td><td class="n">{one.seconds:.1f}</td></tr>')  # fmt: skip
    yield "</tbody></table>"


def _counts(one: Certificate) -> Iterable[str]:
    rows = [(COUNTS[name], f"{one.counts[name]:,}") for name in COUNTS if name in one.counts]
    rows += [(f"… rejected as {why}", f"{n:,}") for why, n in one.rejected.items()]
    yield '<table class="counts"><tbody>'
    yield from (f'<tr><th scope="row">{_(w)}</th><td class="n">{n}</td></tr>' for w, n in rows)
    yield "</tbody></table>"


def _pairs(
    one: str, other: str, rows: Iterable[tuple[str, str]], *, code: bool = False
) -> Iterable[str]:
    yield f'<table><thead><tr><th scope="col">{one}</th><th scope="col">{other}</th></tr></thead><tbody>'
    for name, value in rows:
        shown = f"<code>{_(value)}</code>" if code else _(value)
        yield f'<tr><th scope="row">{_(name)}</th><td>{shown}</td></tr>'
    yield "</tbody></table>"
