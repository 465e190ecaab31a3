"""Feeds over HTTP, on real Kafka: what receivers get, what they may not, what goes wrong on the way."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cutting import Cutter
from hypothesis import given
from hypothesis import strategies as st
from installation import call
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pushing import Own, until
from receiving import City, Receiver, Stream, city, receiver

from crosstown.audit.topic import everything
from crosstown.embedded.broker import Broker
from crosstown.feeds.json_line import json_line
from crosstown.gateway.feeds.feed import HELD
from crosstown.gateway.feeds.places import Places
from crosstown.gateway.feeds.sending import SLOW
from crosstown.gateway.feeds.serving import ALL_AT_ONCE, AT_ONCE, Reader, Serving
from crosstown.gateway.problems import Problem
from crosstown.registry.server import Server

ROOT = Path(__file__).parents[1]
GOLDEN = json.loads((ROOT / "tests/golden/feeds_http.json").read_text("utf-8"))
ELSEWHERE = ("terms", "in_words", "agreement", "schema")
"""Members of a manifest whose inside is looked at by other tests."""
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def riverton(tmp_path_factory: pytest.TempPathFactory, broker: Broker, server: Server) -> City:
    return city(tmp_path_factory.mktemp("feeds"), broker, server)


@pytest.fixture(scope="module")
def own(riverton: City) -> Iterator[Own]:
    with riverton.gateway("all") as one:
        yield one
    assert "Traceback" not in one.log.read_text()


@pytest.fixture(scope="module")
def tenants(own: Own) -> Receiver:
    return receiver(own)


def problem(answer: httpx.Response, status: int, word: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["type"] == f"urn:crosstown:problem:{word}", said
    assert said["detail"]
    return said


def in_force(tenants: Receiver, id_: str) -> None:
    """Wait until the gateway has heard that it was accepted."""
    until(lambda: tenants.get(f"/feeds/{id_}/events?limit=1").status_code == 200)


def numbers(lines: list[dict[str, Any]]) -> list[int]:
    return [one["number"] for one in lines]


def test_message_is_missing_or_comes_twice(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("lines-1")
    riverton.write(agreement, 25)
    in_force(tenants, "lines-1")
    found = tenants.lines("lines-1")
    assert numbers(found) == list(range(1, 26))
    assert next(iter(found[0])) == "number"
    assert found[0]["said"] == {
        "type": "test",
        "occurred_at": "2026-03-02T08:30:00Z",
    }
    assert numbers(tenants.lines("lines-1", "?since=20&limit=3")) == [21, 22, 23]
    assert tenants.lines("lines-1", "?since=25") == []


def test_manifest_tells_something_else_than_was_agreed(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("told-1", delete_within_days=14)
    riverton.write(agreement, 5)
    in_force(tenants, "told-1")
    said = tenants.get("/feeds/told-1").json()
    assert (said["first"], said["last"], said["count"]) == (1, 5, 5)
    assert said["terms"] == agreement.terms
    assert [one["field"] for one in said["agreement"]["fields"]] == ["type", "occurred_at"]
    assert said["in_words"]["of each"] == "type, occurred_at"
    assert said["standing"]["state"] == "in force"
    assert said["schema"]["name"] == "FeedEvent"
    assert "14 days" in said["in_words"]["afterwards"]
    assert said["delete_by"] is None
    mine = tenants.get("/feeds").json()
    assert mine["agency"] == "riverton-tenants"
    assert "told-1" in [one["id"] for one in mine["feeds"]]
    riverton.agree("told-2", accepted=False)
    until(lambda: tenants.get("/feeds/told-2").status_code == 200)
    said = tenants.get("/feeds/told-2").json()
    assert (said["standing"]["state"], said["count"]) == ("waits", 0)
    problem(tenants.get("/feeds/told-2/events"), 403, "not-in-force")


def test_message_that_is_no_longer_in_memory_is_lost(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("old-1")
    end = riverton.write(agreement, HELD + 3_000, each=40)
    in_force(tenants, "old-1")
    found: list[int] = []
    while some := numbers(tenants.lines("old-1", f"?since={len(found)}&limit=3000")):
        found += some
    assert found == list(range(1, end + 1))
    for since in random.Random(6).sample(range(end), 20):
        assert (
            numbers(tenants.lines("old-1", f"?since={since}&limit=2"))
            == [since + 1, since + 2][: end - since]
        )
    with tenants.stream("old-1", 0) as stream:
        assert stream.take(end) == found
    end = riverton.write(agreement, HELD + 500, each=50)
    until(lambda: tenants.get("/feeds/old-1").json()["last"] == end)
    assert numbers(tenants.lines("old-1", "?since=5000&limit=10000")) == list(range(5_001, end + 1))


def test_stream_begins_again_where_it_did_not_end(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("stream-1")
    riverton.write(agreement, 10)
    in_force(tenants, "stream-1")
    with tenants.stream("stream-1") as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.take(6) == [1, 2, 3, 4, 5, 6]
    with tenants.stream("stream-1", 6) as stream:
        assert stream.take(4) == [7, 8, 9, 10]
        for _ in range(3):
            riverton.write(agreement, 1)
        kind, number, data = next(iter(stream))
        assert (kind, number, data["number"], data["event"]) == ("message", 11, 11, "event-11")
        assert stream.take(2) == [12, 13]


def test_feed_that_has_said_nothing_yet_is_never_heard(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("early-1")
    in_force(tenants, "early-1")
    assert tenants.lines("early-1") == []
    with ThreadPoolExecutor(1) as one, tenants.stream("early-1") as stream:
        taken = one.submit(stream.take, 3)
        riverton.write(agreement, 3)
        assert taken.result(30) == [1, 2, 3]


def test_long_poll_answers_too_soon_or_never(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("poll-1")
    riverton.write(agreement, 3)
    in_force(tenants, "poll-1")
    began = time.monotonic()
    assert tenants.lines("poll-1", "?since=3&wait=1") == []
    assert time.monotonic() - began > 0.9
    with ThreadPoolExecutor(1) as one:
        polled = one.submit(tenants.lines, "poll-1", "?since=3&wait=25")
        time.sleep(0.3)
        assert not polled.done()
        riverton.write(agreement, 1)
        assert numbers(polled.result(20)) == [4]
        polled_again = one.submit(tenants.get, "/feeds/poll-1/events?since=4&wait=25")
        time.sleep(0.3)
        riverton.say(agreement, "revoked", "riverton-311", because="no longer needed")
        problem(polled_again.result(20), 403, "not-in-force")


def open_streams(own: Own, id_: str) -> int:
    """How many streams of a feed the gateway says are open."""
    about = json.loads((own.home / "run" / "gateway.json").read_text())
    found = re.search(rf'^crosstown_gateway_streams{{agreement="{id_}"}} (\S+)$',
                      httpx.get(about["metrics"]).text, re.MULTILINE)  # fmt: skip
    return round(float(found[1])) if found else 0


def last_word(stream: Stream) -> dict[str, Any]:
    """What a stream says last; nothing else comes before or after."""
    events = list(stream)
    assert [kind for kind, _, _ in events] == ["ended"], events
    return events[0][2]


def test_something_flows_after_a_revocation(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("revoked-1", delete_within_days=30)
    riverton.write(agreement, 5)
    in_force(tenants, "revoked-1")
    with tenants.stream("revoked-1") as stream:
        assert stream.take(5) == [1, 2, 3, 4, 5]
        riverton.say(agreement, "revoked", "riverton-311", because="the purpose is gone")
        said = last_word(stream)
        assert said["reason"] == "not-in-force"
        assert "riverton-311 has revoked it: the purpose is gone" in said["detail"]
    riverton.write(agreement, 5)
    said = problem(tenants.get("/feeds/revoked-1/events"), 403, "not-in-force")
    assert "30 days" in said["mend"]
    said = tenants.get("/feeds/revoked-1").json()
    assert said["delete_by"] > said["standing"]["ends"]
    with tenants.stream("revoked-1", 5) as stream:
        assert stream.answer.status_code == 403


def test_something_flows_after_the_end(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("expires-1", accepted=False)
    riverton.write(agreement, 2)
    nearly = time.time_ns() // 1000 - 90 * DAY + 4_000_000
    for party in agreement.parties:
        riverton.say(agreement, "accepted", party, said_at=nearly)
    in_force(tenants, "expires-1")
    with tenants.stream("expires-1") as stream:
        assert stream.take(2) == [1, 2]
        assert "it ended" in last_word(stream)["detail"]
    problem(tenants.get("/feeds/expires-1/events"), 403, "not-in-force")


def test_changed_terms_flow_before_they_are_accepted_or_what_they_took_away_goes_on(
    riverton: City, tenants: Receiver
) -> None:
    agreement = riverton.agree("terms-1", envelope=["type", "occurred_at", "place"])
    riverton.write(agreement, 2, place="address:canary-1")
    in_force(tenants, "terms-1")
    with tenants.stream("terms-1") as stream:
        assert stream.take(2) == [1, 2]
        assert "canary-1" in json.dumps(tenants.lines("terms-1"))
        changed = riverton.agree("terms-1", accepted=False)
        assert "waits for" in last_word(stream)["detail"]
    problem(tenants.get("/feeds/terms-1/events"), 403, "not-in-force")
    for party in changed.parties:
        riverton.say(changed, "accepted", party)
    in_force(tenants, "terms-1")
    found = tenants.lines("terms-1")
    assert numbers(found) == [1, 2]
    assert found[0]["said"] == {"type": "test", "occurred_at": "2026-03-02T08:30:00Z"}


def test_one_reads_anothers_feed_or_learns_that_it_is_there(
    riverton: City, own: Own, tenants: Receiver
) -> None:
    agreement = riverton.agree("theirs-1", "riverton-water")
    riverton.write(agreement, 2)
    water = receiver(own, "riverton-water")
    in_force(water, "theirs-1")
    provider = receiver(own, "riverton-311")
    texts = set()
    for path in ("", "/events", "/events?wait=5"):
        for who in (tenants, provider):
            for id_ in ("theirs-1", "nothing", "%2e%2e", "THEIRS-1", "theirs-1%00"):
                answer = who.get(f"/feeds/{id_}{path}")
                problem(answer, 404, "no-such-feed")
                texts.add(answer.text)
    assert len(texts) == 1
    for path in ("/feeds", "/feeds/theirs-1", "/feeds/theirs-1/events"):
        problem(httpx.get(own.url + path), 401, "unauthorized")
        problem(Receiver(own.url, "ct_riverton-water_" + "0" * 64).get(path), 401, "unauthorized")
    assert "theirs-1" not in tenants.get("/feeds").text
    riverton.agree("kafka-1", delivery={"ways": ["kafka"]})
    until(lambda: tenants.get("/feeds/kafka-1").status_code == 200)
    until(lambda: "not-by-http" in tenants.get("/feeds/kafka-1/events").text)


def test_stream_outlives_its_key(riverton: City, own: Own) -> None:
    agreement = riverton.agree("key-1", "riverton-police")
    riverton.write(agreement, 1)
    police = receiver(own, "riverton-police")
    in_force(police, "key-1")
    with police.stream("key-1") as stream:
        assert stream.take(1) == [1]
        call(own.home, "key", "revoke", "riverton-police").ok()
        assert last_word(stream)["reason"] == "key-ended"
    problem(police.get("/feeds/key-1/events"), 401, "unauthorized")


def test_hostile_request_gets_something_else_than_a_problem(
    riverton: City, tenants: Receiver
) -> None:
    agreement = riverton.agree("hostile-1")
    riverton.write(agreement, 3)
    in_force(tenants, "hostile-1")
    path = "/feeds/hostile-1/events"
    for query in ("since=-1", "since=x", "since=1.5", "since=", "since=9999999999999999999", "since=%00",
                  "since=\u0664", "since=1&since=2", "limit=0", "limit=10001", "wait=61", "wait=nan", "x=1",
                  "since=1_0", "since=%201"):  # fmt: skip
        said = problem(tenants.get(f"{path}?{query}"), 400, "bad-query")
        assert said["mend"], query
    for after, query in (("x", ""), ("", "?limit=3"), ("", "?wait=1")):
        answer = tenants.get(path + query, Accept="text/event-stream", Last_Event_ID=after)
        problem(answer, 400, "bad-query")
    problem(tenants.get(f"{path}?since=4"), 400, "number-ahead")
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        answer = httpx.request(method, tenants.url + path, headers=tenants.headers())
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    problem(tenants.get("/feeds/hostile-1/other"), 404, "not-found")


def test_what_is_no_longer_kept_is_passed_over_in_silence(
    riverton: City, tenants: Receiver
) -> None:
    agreement = riverton.agree("gone-1")
    riverton.write(agreement, HELD + 1_000, each=100)
    in_force(tenants, "gone-1")
    assert numbers(tenants.lines("gone-1", "?since=3&limit=1")) == [4]
    riverton.drop(agreement, 404)  # four transactions of 100 and their ends
    first = tenants.get("/feeds/gone-1").json()["first"]
    assert first == 401
    said = problem(tenants.get("/feeds/gone-1/events?since=3"), 410, "no-longer-kept")
    assert "401" in said["detail"]
    with tenants.stream("gone-1", 3) as stream:
        assert stream.answer.status_code == 410
    assert numbers(tenants.lines("gone-1", "?limit=2")) == [401, 402]
    assert numbers(tenants.lines("gone-1", "?since=400&limit=1")) == [401]


def test_client_that_takes_nothing_holds_up_others_or_hears_after_the_end(
    riverton: City, own: Own, tenants: Receiver
) -> None:
    agreement = riverton.agree("slow-1")
    riverton.write(agreement, 1_500, each=500, type="x" * 10_000)
    in_force(tenants, "slow-1")
    host, port = own.url.rpartition("/")[2].split(":")
    head = (f"GET /feeds/slow-1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenants.key}\r\n"
            "Accept: text/event-stream\r\n\r\n").encode()  # fmt: skip

    def dialled() -> socket.socket:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect((host, int(port)))
        line.sendall(head)
        return line

    lines = [dialled() for _ in range(8)]
    try:
        until(lambda: open_streams(own, "slow-1") == len(lines))
        assert numbers(tenants.lines("slow-1", "?since=1490")) == list(range(1_491, 1_501))
        riverton.say(agreement, "revoked", "riverton-tenants", because="enough")
        until(lambda: tenants.get("/feeds/slow-1/events").status_code == 403)
        began = time.monotonic()
        until(lambda: open_streams(own, "slow-1") == 0)
        assert time.monotonic() - began < SLOW / 2, (
            "cut because it took nothing, not because it ended"
        )
        for line in lines:
            line.settimeout(20)
            heard = 0
            try:
                while some := line.recv(65_536):
                    heard += len(some)
            except ConnectionResetError:
                pass
            assert heard < 10_000_000, "all of 15 MB came, though it was revoked meanwhile"
    finally:
        for line in lines:
            line.close()


def test_kill_loses_or_doubles_a_number(riverton: City) -> None:
    agreement = riverton.agree("kill-1", "riverton-water")
    total = 2_000
    got: list[int] = []
    done = threading.Event()
    began = threading.Event()
    url = [""]
    key = [""]

    def read() -> None:
        """As a client does: begins again after the last number that it has."""
        while len(got) < total and not done.is_set():
            try:
                last = got[-1] if got else 0
                with Receiver(url[0], key[0]).stream("kill-1", last) as stream:
                    for kind, id_, _ in stream:
                        if kind == "message":
                            got.append(id_)
                            began.set()
                        if len(got) >= total:
                            return
            except httpx.TransportError:
                time.sleep(0.05)

    riverton.write(agreement, 200)
    reading: Future[None] | None = None
    with ThreadPoolExecutor(1) as one:
        try:
            for round_ in range(3):
                with riverton.gateway("killed") as own:
                    url[0] = own.url
                    key[0] = key[0] or receiver(own, "riverton-water").key
                    reading = reading or one.submit(read)
                    assert began.wait(30)
                    for _ in range(30):
                        riverton.write(agreement, 20, each=7)
                    if round_ == 2:
                        reading.result(60)
                    else:
                        began.clear()
                        os.kill(own.process.pid, signal.SIGKILL)
        finally:
            done.set()
    assert got == list(range(1, total + 1))


def test_end_of_the_gateway_waits_for_streams_or_looks_like_the_feeds_end(riverton: City) -> None:
    agreement = riverton.agree("end-1")
    riverton.write(agreement, 2)
    with riverton.gateway("ended") as own:
        tenants = receiver(own)
        in_force(tenants, "end-1")
        with tenants.stream("end-1") as stream:
            assert stream.take(2) == [1, 2]
            own.process.terminate()
            assert list(stream) == []
        assert own.process.wait(20) == 0


def test_one_agency_takes_all_the_room(riverton: City) -> None:
    riverton.agree("room-1")
    riverton.agree("room-2", "riverton-water")
    with riverton.gateway("full") as own:
        tenants, water = receiver(own), receiver(own, "riverton-water")
        in_force(tenants, "room-1")
        statuses = {}
        with httpx.Client(headers=tenants.headers()) as client:
            for _ in range(400):
                answer = client.get(f"{own.url}/feeds")
                statuses[answer.status_code] = answer
        assert set(statuses) == {200, 429}
        problem(statuses[429], 429, "too-many-requests")
        assert statuses[429].headers["retry-after"]
        assert water.get("/feeds").status_code == 200


def test_what_was_said_or_a_key_stands_in_the_log(
    riverton: City, own: Own, tenants: Receiver
) -> None:
    agreement = riverton.agree("log-1")
    riverton.write(agreement, 3, type="canary-5513")
    in_force(tenants, "log-1")
    assert "canary-5513" in json.dumps(tenants.lines("log-1"))
    tenants.get("/feeds/canary-5513/events?since=canary-5513")
    text = own.log.read_text()
    assert "canary-5513" not in text
    assert tenants.key[-64:] not in text
    lines = [json.loads(one[one.index("{") :]) for one in text.splitlines() if '"route"' in one]
    (line,) = (one for one in lines if one.get("feed") == "log-1" and one.get("count") == 3)
    assert (line["agency"], line["first"], line["last"]) == ("riverton-tenants", 1, 3)


def test_description_is_wrong(riverton: City, own: Own, tenants: Receiver) -> None:
    agreement = riverton.agree("described-1")
    riverton.write(agreement, 1)
    in_force(tenants, "described-1")
    document = httpx.get(f"{own.url}/openapi.json").json()
    validate(document)
    schemas = {"$defs": document["components"]["schemas"]}
    schemas = json.loads(json.dumps(schemas).replace("#/components/schemas/", "#/$defs/"))
    for name, said in (
        ("Feeds", tenants.get("/feeds").json()),
        ("Manifest", tenants.get("/feeds/described-1").json()),
        ("Message", tenants.lines("described-1")[0]),
        ("Problem", tenants.get("/feeds/nothing").json()),
    ):
        Draft202012Validator({**schemas, "$ref": f"#/$defs/{name}"}).validate(said)


def test_something_goes_out_that_the_access_log_does_not_have(
    riverton: City, broker: Broker
) -> None:
    agreement = riverton.agree("noted-1", "riverton-buildings")
    riverton.write(agreement, 5)
    cutter = Cutter(broker.bootstrap)
    with riverton.gateway("noted", CROSSTOWN_BOOTSTRAP=cutter.bootstrap) as one:
        buildings = receiver(one, "riverton-buildings")
        until(lambda: buildings.get("/feeds/noted-1/events?since=5").status_code == 200)
        cutter.cut("hold")
        answer = buildings.get("/feeds/noted-1/events")
        problem(answer, 503, "not-ready")
        assert "event-1" not in answer.text
        cutter.cut("")
        until(lambda: buildings.get("/feeds/noted-1/events?limit=2").status_code == 200)
        with buildings.stream("noted-1", 2) as stream:
            assert stream.take(3) == [3, 4, 5]
    cutter.close()
    said = [
        found.link.said for found in everything(riverton.settings, riverton.where) if found.link
    ]
    noted = [
        (one.way, one.first, one.last, one.count) for one in said if one.agreement == "noted-1"
    ]
    assert noted[-2:] == [("http", 1, 2, 2), ("sse", 3, 5, 3)], noted
    assert {one.agency for one in said if one.agreement == "noted-1"} == {"riverton-buildings"}
    assert {one.purpose for one in said if one.agreement == "noted-1"} == {agreement.purpose}


def test_number_that_json_has_no_word_for_makes_a_line_that_is_no_json() -> None:
    found = json_line(
        {"number": 1, "said": {"a": float("nan"), "b": [float("-inf"), 1.5], "c": "\ud800"}}
    )
    assert b"\n" not in found
    assert json.loads(found, parse_constant=pytest.fail) == {
        "number": 1, "said": {"a": None, "b": [None, 1.5], "c": "?"},
    }  # fmt: skip


def test_readers_take_the_connections_of_who_publishes() -> None:
    nothing: Any = None
    serving = Serving(nothing, nothing, nothing, nothing, nothing, nothing)
    with ExitStack() as reading:
        for n in range(ALL_AT_ONCE):
            one = Reader(f"agency-{n // AT_ONCE}", "", nothing, nothing)
            reading.enter_context(serving.reading(one))
        for agency, status in (("agency-0", 429), ("agency-99", 503)):
            with (
                pytest.raises(Problem) as refused,
                serving.reading(Reader(agency, "", nothing, nothing)),
            ):
                pass
            assert refused.value.status == status
    with serving.reading(Reader("agency-0", "", nothing, nothing)):
        pass
    serving.close()


@given(st.data())
def test_number_is_looked_for_where_it_is_not(data: st.DataObject) -> None:
    """Numbers at offsets with gaps, of which some are known."""
    gaps = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=60))
    begin = data.draw(st.integers(1, 100))
    offsets = {begin + i: sum(gaps[: i + 1]) for i in range(len(gaps))}
    high = max(offsets.values()) + data.draw(st.integers(1, 3))
    places = Places()
    for number in data.draw(st.lists(st.sampled_from(sorted(offsets)), max_size=10)):
        places.learn(number, offsets[number])
    for number, offset in offsets.items():
        first, last = places.between(number, 0, high)
        assert first <= offset <= last


def test_member_that_a_program_reads_is_gone(riverton: City, tenants: Receiver) -> None:
    agreement = riverton.agree("golden-1", since="2026-01-01", delete_within_days=7)
    riverton.write(agreement, 1)
    in_force(tenants, "golden-1")
    found = tenants.get("/feeds/golden-1").json()
    listed = next(one for one in tenants.get("/feeds").json()["feeds"] if one["id"] == "golden-1")
    assert {name: found[name] for name in listed} == listed
    for one in (found, listed):
        for name in ("begins", "ends", "why"):
            assert one["standing"].pop(name)
    said = {
        "listed": listed,
        "manifest": {name: one if name not in ELSEWHERE else "..." for name, one in found.items()},
        "message": tenants.lines("golden-1")[0],
        "problem": tenants.get("/feeds/golden-1/events?since=2").json(),
    }
    assert said == GOLDEN


def test_python_of_the_docs_fails(
    riverton: City, tenants: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement = riverton.agree("docs-1")
    riverton.write(agreement, 3)
    in_force(tenants, "docs-1")
    doc = (ROOT / "docs" / "feeds-http.md").read_text("utf-8")
    (code,) = (one for one in re.findall(r"^```python\n(.*?)^```$", doc, re.MULTILINE | re.DOTALL)
               if "def messages" in one)  # fmt: skip
    monkeypatch.setenv("URL", tenants.url)
    monkeypatch.setenv("KEY", tenants.key)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    found = names["messages"]("docs-1", 1)
    assert [next(found)["number"] for _ in range(2)] == [2, 3]
    riverton.say(agreement, "revoked", "riverton-tenants", because="enough")
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        next(found)
