"""A feed's messages in the form that its agreement has today, whatever they were said under.

So a field that the terms no longer name doesn't go out again. What was said under another reach (coarser
now, another filter, ...) goes out as GONE: all that is covered now is said again behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crosstown.agreements.agreement import Agreement
from crosstown.contracts.contract import Contract
from crosstown.errors import Refused
from crosstown.feeds.form import REACH, form
from crosstown.reading.opened import Opener, Row


class TodaysForm:
    """Opens one feed's messages; `schema_text` gives a schema by its id and may raise `Unavailable`."""

    def __init__(
        self, agreement: Agreement, contracts: Mapping[str, Contract],
        schema_text: Callable[[int], str],
    ) -> None:  # fmt: skip
        self.schema = form(agreement, contracts)
        self._reach = agreement.reach
        self._opener = Opener(schema_text, self.schema, own=True)

    def opened(self, value: bytes | None) -> Row:
        """A message's fields; `Refused` where it can't be said in today's form. `Unavailable`."""
        row = self._opener.row(value)
        if self._opener.writer(value).get(REACH) == self._reach:
            return row
        gone = {"change": "GONE", "said": None, **({"record": ""} if "record" in row else {})}
        return {**row, **gone}

    def row(self, number: int, value: bytes | None) -> Row:
        """A message's fields. `Unavailable` where the registry doesn't answer.

        What can't be said in today's form says so: its number is not left out.
        """
        try:
            return {**self.opened(value), "number": number}
        except Refused as refused:
            return {"number": number, "change": "UNREADABLE", "said": None, "why": refused.reason}
