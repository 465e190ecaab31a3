"""Traces: one event followed from a push to a feed, and what senders can't do by asking for one."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from feeding import Town, body, handshake, until
from hypothesis import given
from hypothesis import strategies as st
from installation import call
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pushing import Agency

from crosstown.backbone import kafka
from crosstown.backbone.sweep import messages
from crosstown.errors import Stop
from crosstown.home import Home
from crosstown.processing.traceparent import Parent, parent_in
from crosstown.processing.traces import A_SECOND, Traces, parent_of, traces_of
from crosstown.settings import Settings

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


class Collector:
    """Takes spans as an OpenTelemetry collector does (OTLP over HTTP, protobuf)."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                said = ExportTraceServiceRequest.FromString(body)
                for resource in said.resource_spans:
                    names = {
                        one.key: one.value.string_value for one in resource.resource.attributes
                    }
                    for scope in resource.scope_spans:
                        collector.spans += [(names["service.name"], one) for one in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, service: str) -> list[Any]:
        return [span for name, span in self.spans if name == service]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


@pytest.mark.parametrize("forged", [
    "", "00", GOOD.upper(), f"{GOOD} ", f" {GOOD}", f"{GOOD}\n", f"{GOOD}-more", f"ff-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{SPAN}", f"00-{TRACE}-{SPAN}-1",
    f"00-{TRACE[:-1]}g-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}", f"cc-{TRACE}-{SPAN}-01-\x1b[2J",
    f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-\u0661\u0661", f"{GOOD}\x00",
])  # fmt: skip
def test_forged_parent_is_believed(forged: str) -> None:
    assert parent_in([forged]) is None
    assert parent_in([forged.encode()]) is None
    assert parent_of([("traceparent", forged.encode())]) is None


def test_parent_is_lost() -> None:
    parent = parent_in([GOOD])
    assert str(parent) == GOOD
    assert parent_in([GOOD.encode()]) == parent
    assert parent_in([f"cc-{TRACE}-{SPAN}-09-later"]) == parent, "a later version begins the same"
    assert parent_of([("via", b"push"), ("traceparent", GOOD.encode())]) == parent
    assert parent_in([f"00-{TRACE}-{SPAN}-00"]) is None, "its sender doesn't record it"
    assert parent_in([GOOD, GOOD]) is None, "two say nothing"
    assert parent_of(None) is parent_of([("traceparent", None)]) is None


@given(st.binary(max_size=300))
def test_bytes_break_the_reader(value: bytes) -> None:
    found = parent_in([value])
    assert found is None or re.fullmatch(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-.*", value)


def test_sender_floods_the_collector(collector: Collector) -> None:
    traces = Traces(collector.url, "flooded")
    parent = Parent(1, 1)
    begun = [traces.begin("intake", parent) for _ in range(int(A_SECOND) * 10)]
    made = [one for one in begun if one is not None]
    assert 1 < len(made) <= A_SECOND * 5
    for one in made:
        one.end()
    traces.close()
    assert len(collector.of("crosstown-flooded")) == len(made)


def test_collector_that_is_away_holds_a_program_up() -> None:
    traces = Traces("http://127.0.0.1:1", "alone")
    span = traces.begin("intake", None)
    assert span is not None
    span.end()
    ended = threading.Thread(target=traces.close)
    ended.start()
    ended.join(30)
    assert not ended.is_alive()


def test_nothing_is_traced_unasked() -> None:
    assert traces_of(Settings(home=Path("/nowhere")), "intake") is None
    for wrong in ("localhost:4318", "file:///etc/passwd", "http://"):
        with pytest.raises(Stop) as refused:
            traces_of(Settings(home=Path("/nowhere"), traces=wrong), "intake")
        assert refused.value.mend


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Town]:
    files = {"one": handshake("one"), "two": handshake("two", receiver="riverton-housing")}
    town = Town(tmp_path_factory.mktemp("traced"), files)
    env = {"CROSSTOWN_TRACES": collector.url, "CROSSTOWN_LOG": "json"}
    try:
        town.start("intake", "cases", "feeds", "gateway", **env)
        town.say("accepted", "one")
        town.say("accepted", "two")
        yield town
    finally:
        town.close()


@pytest.fixture(scope="module")
def gateway(town: Town) -> Agency:
    home = town.settings.home
    url = json.loads((Home(home).run / "gateway.json").read_text("utf-8"))["url"]
    key = (
        call(home, "key", "add", "riverton-311", CROSSTOWN_SCHEMAS=str(town.city)).ok().out.strip()
    )
    return Agency(url, key)


def pushed(number: str) -> dict[str, Any]:
    return {"specversion": "1.0", "id": number, "source": "/test", "type": "events",
            "data": body(number, headline="canary-in-a-headline")}  # fmt: skip


def parents(town: Town, topic: str) -> list[Parent | None]:
    return [parent_of(m.headers()) for m in messages(town.settings, town.where, topic, 0)]


def hex_of(span: Any) -> tuple[str, str, str]:
    return span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()


def test_event_cannot_be_followed(town: Town, gateway: Agency, collector: Collector) -> None:
    assert gateway.post(pushed("CANARY-77"), traceparent=GOOD).status_code == 202
    until(lambda: all(map(collector.of, ("crosstown-gateway", "crosstown-intake", "crosstown-cases")))
          and len(collector.of("crosstown-feeds")) == 2)  # fmt: skip
    (push,) = collector.of("crosstown-gateway")
    (taken,) = collector.of("crosstown-intake")
    (joined,) = collector.of("crosstown-cases")
    assert hex_of(push)[::2] == (TRACE, SPAN)
    assert hex_of(taken)[::2] == (TRACE, hex_of(push)[1])
    assert hex_of(joined)[::2] == (TRACE, hex_of(taken)[1])
    assert parents(town, "timelines") == [Parent(int(TRACE, 16), int(hex_of(joined)[1], 16))]
    told = collector.of("crosstown-feeds")
    for span in told:
        assert [(link.trace_id.hex(), link.span_id.hex()) for link in span.links] == [
            hex_of(taken)[:2]
        ]
    shared = {TRACE, *(hex_of(span)[0] for span in told)}
    assert len(shared) == 3, "receivers can tell that they got the same"
    in_feeds = [f"{one.trace_id:032x}" for name in ("one", "two")
                for one in parents(town, f"feed.{name}") if one]  # fmt: skip
    assert sorted([TRACE, *in_feeds]) == sorted(shared)
    everything = b"".join(span.SerializeToString() for _, span in collector.spans)
    assert b"events.riverton-311.events" in everything
    for canary in (b"CANARY-77", b"canary-in-a-headline", gateway.key.encode()):
        assert canary not in everything


def test_refusal_is_not_seen_in_the_trace(town: Town, collector: Collector) -> None:
    trace = "ab" * 16
    producer = Producer(kafka.client(town.settings, town.where) | {"log_level": 0})
    headers = [("traceparent", f"00-{trace}-{SPAN}-01".encode())]
    producer.produce("events.riverton-311.events", b"rubbish", headers=headers)
    assert producer.flush(30) == 0
    until(lambda: any(span.trace_id.hex() == trace for _, span in collector.spans))
    (span,) = [span for _, span in collector.spans if span.trace_id.hex() == trace]
    assert (span.status.code, span.status.message) == (2, "wrong-magic"), span


def test_forged_parent_joins_a_trace(gateway: Agency, collector: Collector) -> None:
    before = len(collector.of("crosstown-gateway"))
    for forged in ("00-" + "0" * 32 + f"-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more", "x" * 4_000):
        assert gateway.post(pushed("FORGED-1"), traceparent=forged).status_code == 202
    until(lambda: len(collector.of("crosstown-gateway")) == before + 3)
    new = collector.of("crosstown-gateway")[before:]
    assert all(not span.parent_span_id for span in new)
    assert TRACE not in {span.trace_id.hex() for span in new}
    assert len({span.trace_id for span in new}) == 3


@pytest.mark.usefixtures("gateway")
def test_program_writes_what_no_program_reads(town: Town) -> None:
    for name in ("intake", "cases", "feeds", "gateway"):
        lines = [json.loads(one) for one in town.log(name).splitlines()]
        assert lines
        assert {one["program"] for one in lines} == {name}
