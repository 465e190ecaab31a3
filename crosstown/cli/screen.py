"""What agencies wrote is shown, never obeyed: no text of theirs can steer a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *_TURNS), 0xFFFD),
}
"""Control characters as their pictures; C1 and what turns the direction of writing as U+FFFD."""


class Screen(Console):
    """Rich's console; control characters in what is printed come out as pictures of themselves."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of what is printed; rich's own control codes are not text."""
        for piece in super().render(renderable, options):
            if piece.control or piece.text.isprintable():
                yield piece
            else:
                yield Segment(piece.text.translate(_SHOWN), piece.style)
