"""Traces: what became of one event, from program to program, told to an OpenTelemetry collector.

Off unless `CROSSTOWN_TRACES` says where the collector is: then nothing here is imported, and no header
is looked at. A span says where a message lay and what became of it, never what is in it: no record, no
key, no text. The collector's slowness or absence costs spans, never events. Spans are made for senders
who ask for them (a sampled `traceparent`), at most so many a second: a sender can't flood the collector.
Source: OpenTelemetry's semantic conventions for messaging; OTLP over HTTP.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from crosstown.bucket import Buckets
from crosstown.errors import Stop
from crosstown.now_and_then import NowAndThen
from crosstown.processing.traceparent import HEADER, Parent, parent_in
from crosstown.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

A_SECOND: Final = 100.0
"""Spans that one program makes a second, on average."""
LINKS: Final = 32
"""So many others a span names at most."""
PATIENCE: Final = 2.0
"""Seconds that the collector has for a batch of spans, and for the last ones at the end."""
Attributes = dict[str, str | int]


class Span:
    """One piece of work that has begun; `end` tells it."""

    def __init__(self, span: Any) -> None:
        self._span = span

    @property
    def parent(self) -> Parent:
        """What comes of it hangs here."""
        context = self._span.get_span_context()
        return Parent(context.trace_id, context.span_id)

    @property
    def header(self) -> tuple[str, bytes]:
        """The header for a message that comes of it."""
        return HEADER, str(self.parent).encode()

    def end(self, **about: str | int) -> None:
        """It is done; `about` says with what outcome, `error` that it was refused."""
        from opentelemetry.trace import StatusCode

        if "error" in about:
            self._span.set_status(StatusCode.ERROR, str(about.pop("error")))
        self._span.set_attributes({f"crosstown.{name}": value for name, value in about.items()})
        self._span.end()


class Traces:
    """The spans of one program, sent in the background."""

    def __init__(self, url: str, program: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(
            resource=Resource.create({"service.name": f"crosstown-{program}"}),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=PATIENCE)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("crosstown")
        self._bucket = Buckets(A_SECOND)
        for handler in logging.getLogger().handlers:
            handler.addFilter(NowAndThen("opentelemetry", seconds=60))

    def begin(self, name: str, parent: Parent | None, **about: str | int) -> Span | None:
        """A span under `parent`, or of a trace of its own; None: there were too many just now."""
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        if not self._may():
            return None
        above = None if parent is None else set_span_in_context(NonRecordingSpan(_context(parent)))
        return self._span(name, above, (), about)

    def begin_after(self, name: str, parents: Sequence[Parent], **about: str | int) -> Span | None:
        """A span of a trace of its own that names those it comes after."""
        from opentelemetry.trace import Link

        if not self._may():
            return None
        return self._span(name, None, [Link(_context(one)) for one in parents[:LINKS]], about)

    def close(self) -> None:
        """Send what is left, within `PATIENCE`."""
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(PATIENCE)

    def _span(self, name: str, above: Any, links: Sequence[Any], about: Attributes) -> Span:
        from opentelemetry.context import Context

        attributes = {f"crosstown.{key}": value for key, value in about.items()}
        return Span(self._tracer.start_span(name, above or Context(), attributes=attributes, links=links))  # fmt: skip

    def _may(self) -> bool:
        now = time.monotonic()
        if self._bucket.wait("", now):
            return False
        self._bucket.take("", 1, now)
        return True


def traces_of(settings: Settings, program: str) -> Traces | None:
    """Where this program tells its spans; None: nowhere. `Stop` where the setting can't be followed."""
    if not settings.traces:
        return None
    said = urlsplit(settings.traces)
    if said.scheme not in ("http", "https") or not said.hostname:
        raise Stop("CROSSTOWN_TRACES is no URL", mend="say where the collector takes OTLP over HTTP, e.g."
                   " http://127.0.0.1:4318")  # fmt: skip
    try:
        return Traces(settings.traces, program)
    except ModuleNotFoundError:
        raise Stop("CROSSTOWN_TRACES is set, and OpenTelemetry's SDK isn't installed",
                   mend="install Crosstown with its extra `traces`, or unset it") from None  # fmt: skip


def parent_of(headers: Sequence[tuple[str, bytes | None]] | None) -> Parent | None:
    """The parent that a Kafka message's headers say."""
    if not headers:
        return None
    return parent_in([value for name, value in headers if name == HEADER])


def _context(parent: Parent) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(1))
