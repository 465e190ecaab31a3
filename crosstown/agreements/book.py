"""All agreements of a city with what was said of them: the files and the words, looked at together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.requests import Request, requests
from crosstown.agreements.words import Standing, Word, standing
from crosstown.errors import NotFound


@dataclass(frozen=True, slots=True)
class Book:
    """The agreements by id, all words (None: they can't be read now), and the time, microseconds UTC."""

    agreements: Mapping[str, Agreement]
    words: Sequence[Word] | None
    now: int

    @property
    def ids(self) -> list[str]:
        """Every agreement that has a file, was asked for or is spoken of."""
        return sorted({*self.agreements, *(word.agreement for word in self.words or ())})

    def agreement(self, asked: str) -> Agreement:
        """The agreement of an id; raises `NotFound` with those that may be meant."""
        found = self.agreements.get(asked)
        if found is None:
            raise NotFound(f"there is no agreement {asked[:80]!r}",
                           candidates=tuple(get_close_matches(asked, self.agreements, 3)),
                           mend="crosstown agreements lists them; its file is schemas/agreements/<id>.yaml")  # fmt: skip
        return found

    def of(self, agreement: str) -> list[Word]:
        """What was said of one, in order."""
        return sorted((w for w in self.words or () if w.agreement == agreement),
                      key=lambda w: (w.said_at, w.key))  # fmt: skip

    def standing(self, agreement: str) -> Standing | None:
        """Where one stands; None: it has no file, or nobody knows now what was said."""
        found = self.agreements.get(agreement)
        if found is None or self.words is None:
            return None
        return standing(found, self.words, self.now)

    def requests(self, agreement: str) -> list[Request]:
        """What was asked for under an id."""
        return requests(self.of(agreement), self.now)
