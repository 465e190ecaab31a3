"""Where a registry answers otherwise than Confluent's documents say, and why; docs/registry.md.

`python tests/registry_differences.py` writes the tables there anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from registry_cases import APICURIO, OURS, finer
from registry_checks import CHECKS
from registry_pairs import MODES, PAIRS, VERDICTS

PAGE = Path(__file__).parent.parent / "docs" / "registry.md"

_BARE = "the status is Confluent's, the body isn't: it comes from its web server, not from its API"
_CONFLICT = "it calls this a conflict (409); the error code is Confluent's"
_FALLS_BACK = "what holds for all is answered, whether or not one asks for it"
_NO_SUCH = "it doesn't tell a version that can't be one from one that isn't there"

DIFFERENCES: dict[tuple[str, str], tuple[Any, str]] = {
    (OURS, "deleting a subject for good"): (
        ((422, 42205), (200, None)),
        "events written with a schema could no longer be read: it is hidden, never removed"),
    (APICURIO, "a body without schema is refused"): ((500, 0), "it fails on it itself"),
    (APICURIO, "a broken body is a bad request"): ((400, None), _BARE),
    (APICURIO, "an id that is no number"): ((404, None), _BARE),
    (APICURIO, "a route that there isnt"): ((404, None), _BARE),
    (APICURIO, "a method that there isnt"): ((405, None), _BARE),
    (APICURIO, "a body of another type"): ((415, None), _BARE),
    (APICURIO, "a lookup of what is no schema"): (
        (404, 40403), "it compares texts, and doesn't read what it looks for"),
    (APICURIO, "subjects are listed by their beginning"): (
        (True, True), "it doesn't know `subjectPrefix`"),
    (APICURIO, "a version that is no version"): (
        [(404, 40402), (404, 40401), (404, 40402)], _NO_SUCH),
    (APICURIO, "a change that cant be judged"): (
        ((404, 40402), (404, 40402), (422, 42201)), _NO_SUCH),
    (APICURIO, "deleting a version twice"): ((409, 40406), _CONFLICT),
    (APICURIO, "deleting a subject for good that isnt hidden"): ((409, 40405), _CONFLICT),
    (APICURIO, "deleting a version for good that isnt hidden"): ((409, 40407), _CONFLICT),
    (APICURIO, "a subject without a level of its own"): ((200, None), _FALLS_BACK),
    (APICURIO, "a level is taken back"): (((200, None), (200, None)), _FALLS_BACK),
    (APICURIO, "a subject without a mode of its own"): ((200, None), _FALLS_BACK),
    (APICURIO, "a verdict says why when asked"): ((False, False), "`verbose` changes nothing"),
    (APICURIO, "a change of a subject that isnt there after all"): (
        (404, 40401), "here, unlike after the latest, a subject must be there"),
    (APICURIO, "a mode that there isnt"): ((422, 42201), "it has one code for every wrong body"),
    (APICURIO, "answers are of the registrys type"): (
        "application/json", "clients take both"),
}  # fmt: skip


def tables() -> dict[str, str]:
    """The tables of docs/registry.md, by name."""
    return {"answers": _answers(), "finer": finer(), "verdicts": _verdicts()}


def _answers() -> str:
    rows = ["| call | Confluent | otherwise | why |", "|---|---|---|---|"]
    rows += [
        f"| {check} | {_said(CHECKS[check][1])} | {name}: {_said(seen)} | {why} |"
        for (name, check), (seen, why) in DIFFERENCES.items()
    ]
    return "\n".join(rows)


def _verdicts() -> str:
    rows = [f"| change | {' | '.join(MODES)} | {APICURIO} | why |", "|---|---|---|---|---|---|"]
    for name, (_old, _new, ours) in PAIRS.items():
        theirs, why = VERDICTS.get(name, ("", ""))
        words = " | ".join("yes" if one == "+" else "no" for one in ours)
        other = ", ".join("yes" if one == "+" else "no" for one in theirs) or "the same"
        rows.append(f"| {name} | {words} | {other} | {why} |")
    return "\n".join(rows)


def _said(seen: Any) -> str:
    if isinstance(seen, tuple | list) and seen and isinstance(seen[0], tuple | list):
        return ", ".join(map(_said, seen))
    if isinstance(seen, tuple | list):
        return " ".join("yes" if one is True else "no" if one is False else str(one)
                        for one in seen if one is not None)  # fmt: skip
    return {True: "yes", False: "no"}.get(seen, str(seen)) if isinstance(seen, bool) else f"{seen}"


def written(page: str) -> str:
    """A page with its tables as they should be."""
    for name, table in tables().items():
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda found, table=table: found[1] + table + "\n" + found[2],  # type: ignore[misc]
            page,
            flags=re.DOTALL,
        )
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
