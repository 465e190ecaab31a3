"""What was traced of a batch, where an output comes of many messages: by the record that each is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import Message

from crosstown.processing.traceparent import HEADER
from crosstown.processing.traces import Span, Traces, parent_of


@dataclass(slots=True)
class Traced:
    """The spans of one batch; of a record that was said several times the last is told of."""

    traces: Traces
    name: str
    _headers: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _spans: list[Span] = field(default_factory=list)

    def take(self, message: Message, record: str) -> None:
        """A message of this record was folded."""
        parent = parent_of(message.headers())
        if parent is None:
            return
        span = self.traces.begin(
            self.name, parent, topic=message.topic() or "", partition=message.partition() or 0,
            offset=message.offset() or 0,
        )  # fmt: skip
        if span is None:
            self._headers[record] = HEADER, str(parent).encode()
        else:
            self._headers[record] = span.header
            self._spans.append(span)

    def headers(self, concerns: Callable[[str], bool]) -> list[tuple[str, bytes]] | None:
        """The header for what comes of records that this concerns; the newest of them."""
        found = [header for record, header in self._headers.items() if concerns(record)]
        return found[-1:] or None

    def end(self, *, told: bool) -> None:
        """All that comes of the batch has been given out; not `told`: it was only restored."""
        for span in self._spans if told else ():
            span.end()
        self._headers.clear()
        self._spans.clear()
