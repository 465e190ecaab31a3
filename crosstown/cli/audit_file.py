"""The access log as a file, as `crosstown audit` writes and checks it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from crosstown.cli.shell import Output, err, out, print_json
from crosstown.errors import Stop

if TYPE_CHECKING:
    from crosstown.audit.verdict import Head, Verdict
    from crosstown.settings import Settings

NOT_WHOLE = 3


def exported(chosen: Settings, file: Path, of: str, keys: list[str]) -> Verdict:
    """Write the log to a file; whether what is in it is whole.

    With an agency `of`, what neither it nor others under its agreements received is closed.
    """
    from crosstown.audit import export as files
    from crosstown.audit.asking import Asking
    from crosstown.audit.signing import signer
    from crosstown.audit.topic import everything
    from crosstown.cli.backbone import backbone
    from crosstown.home import Home

    where, who = backbone(chosen), signer(chosen)
    known = files.remembered(Home(chosen.home))  # before the log: it grows meanwhile
    ours = Asking.of(chosen, where).providing(of) if of else frozenset()
    files.export(everything(chosen, where), file, who,
           lambda said: not of or said.agreement in ours or said.agency == of)  # fmt: skip
    return files.verified(file, [who.public, *keys], known)


def verified(chosen: Settings, what: str, keys: list[str], against: Path | None) -> Verdict:
    """The verdict on a file, or on what lies in Kafka now; `against` is an earlier file."""
    from crosstown.audit import export as files

    known: dict[str, Head] = {}
    if against:
        earlier = files.verified(against, keys)
        if earlier.bad:
            raise Stop(f"{against} isn't whole itself: {_bad(earlier)}",
                       mend="name an earlier export that is")  # fmt: skip
        known = earlier.heads
        keys = keys or [earlier.key]
    if what:
        return files.verified(Path(what), keys, known)
    return _live(chosen, keys, known)


def _live(chosen: Settings, keys: list[str], known: dict[str, Head]) -> Verdict:
    """What lies in Kafka now, held against what this home remembers of it."""
    import tempfile

    from crosstown.audit import export as files
    from crosstown.audit.signing import signer
    from crosstown.audit.topic import everything
    from crosstown.cli.backbone import backbone
    from crosstown.home import Home

    where, who = backbone(chosen), signer(chosen)
    known = files.remembered(Home(chosen.home)) | known
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "access"
        files.export(everything(chosen, where), file, who)
        return files.verified(file, [who.public, *keys], known)


def show(verdict: Verdict, file: Path, output: Output) -> None:
    """Print a verdict; a log that isn't whole ends the call with 3."""
    from crosstown.audit.signing import fingerprint

    bad = verdict.bad
    if output is Output.JSON:
        print_json({
            "file": str(file), "whole": bad is None, "links": verdict.links, "key": verdict.key,
            "made": verdict.made or None,
            "chains": [
                {"chain": name, "links": one.head.number, "hash": one.head.hash,
                 "signed_to": one.signed_to, "closed": one.closed}
                for name, one in sorted(verdict.chains.items())
            ],
            "bad": None if bad is None else
            {"line": bad.line, "chain": bad.chain, "number": bad.number, "why": bad.why},
        })  # fmt: skip
    elif bad is None:
        out.print(f"{file}: whole; links by chain: {_lengths(verdict)};"
                  f" signed by {fingerprint(verdict.key)}", markup=False)  # fmt: skip
    if bad is not None:
        err.print(f"{file} isn't whole: {_bad(verdict)}", markup=False)
        raise typer.Exit(NOT_WHOLE)


def _lengths(verdict: Verdict) -> str:
    return (
        ", ".join(f"{name} {one.head.number:,}" for name, one in sorted(verdict.chains.items()))
        or "none"
    )


def _bad(verdict: Verdict) -> str:
    bad = verdict.bad
    if bad is None:
        return ""
    where = f"line {bad.line}" + (f", chain {bad.chain}, link {bad.number}" if bad.chain else "")
    return f"{where}: {bad.why}"


def show_key(chosen: Settings, output: Output) -> None:
    """Print the key by which parties know that this home signed."""
    from crosstown.audit.signing import fingerprint, signer
    from crosstown.home import Home

    Home(chosen.home).make()
    public = signer(chosen).public
    if output is Output.JSON:
        print_json({"key": public, "fingerprint": fingerprint(public)})
        return
    out.print(public, markup=False, soft_wrap=True)
    err.print(f"its fingerprint: {fingerprint(public)}; give it to every party, they check with it")
