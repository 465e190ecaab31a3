"""Who may write a topic and who may read it, in words: the one place that knows.

What agreements give lies on topics of their own, `feed.<agreement>`; nobody reads an agency's topic by one.
"""

from __future__ import annotations

from dataclasses import dataclass

from crosstown.contracts.contract import ANY, Contract
from crosstown.formats import TOPICS


@dataclass(frozen=True, slots=True)
class Access:
    """Who may write and who may read, each the rest of a sentence."""

    write: str
    read: str


def access(about: Contract | str) -> Access:
    """Who may use a contract's topic, or one of Crosstown's own by its name."""
    if isinstance(about, str):
        if about not in TOPICS:
            raise KeyError(about)
        return Access(
            "Crosstown's own programs, nobody else", "nobody but Crosstown's own programs"
        )
    if about.owner == ANY:
        return Access("each declared agency, on its own topic",
                      "nobody but the agency whose topic it is and Crosstown's own programs")  # fmt: skip
    agency = about.agencies.get(about.owner)
    return Access(f"{agency.name if agency else about.owner}, nobody else",
                  "nobody but the owner and Crosstown's own programs")  # fmt: skip
