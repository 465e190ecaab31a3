"""A feed's messages as JSON, one object a line, `number` first; times in ISO 8601, UTC."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from crosstown.agreements.agreement import Agreement
from crosstown.contract import Contract
from crosstown.errors import Refused
from crosstown.feeds.form import form
from crosstown.opened import Opener
from crosstown.reading import plain_text


class Lines:
    """Opens one feed's messages in the form of today's terms, whatever they were said under.

    So a field that the terms no longer name doesn't go out again. `schema_text` gives a schema by its
    id and may raise `Unavailable`.
    """

    def __init__(
        self, agreement: Agreement, contracts: Mapping[str, Contract],
        schema_text: Callable[[int], str],
    ) -> None:  # fmt: skip
        self.schema = form(agreement, contracts)
        self._opener = Opener(schema_text, self.schema, own=True)

    def line(self, number: int, value: bytes) -> bytes:
        """A message as a line without its end. `Unavailable` where the registry doesn't answer.

        What can't be said in today's form is a line that says so: its number is not left out.
        """
        try:
            return json_line({**self._opener.row(value), "number": number})
        except Refused as error:
            return json_line(
                {"number": number, "change": "UNREADABLE", "said": None, "why": error.reason}
            )


def json_line(fields: dict[str, Any]) -> bytes:
    """A row as JSON without spaces."""
    try:
        text = _json(fields)
    except ValueError:
        text = _json(_finite(fields))
    return text.encode("utf-8", "replace")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                      default=plain_text)  # fmt: skip


def _finite(value: Any) -> Any:
    """JSON has no word for what isn't a finite number: null."""
    match value:
        case dict():
            return {name: _finite(one) for name, one in value.items()}
        case list():
            return [_finite(one) for one in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
