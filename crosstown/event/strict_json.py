"""JSON from strangers: UTF-8, every key once, no number that isn't one, no depth that ends us."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from crosstown.errors import Refused


def parse(data: bytes) -> Any:
    """The value of a JSON text; raises `Refused`: not-utf-8, not-json."""
    try:
        return json.loads(data.decode(), parse_constant=_no_number, parse_float=_finite,
                          object_pairs_hook=_once)  # fmt: skip
    except UnicodeDecodeError:
        raise Refused("not-utf-8", "bytes that are no UTF-8", mend="send text as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused("not-json", f"{error.msg} at character {error.pos + 1}") from None
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Refused("not-json", why) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a field stands twice in one object")
    return made


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is beyond all numbers")
    return value
