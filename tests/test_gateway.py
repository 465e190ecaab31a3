"""Publishing over HTTP on a running installation: what agencies send, and what hostile ones do."""

from __future__ import annotations

import gzip
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cutting import PRODUCE, Cutter
from installation import Installation
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pushing import BATCH, STRUCTURED, Agency, data, event, key_of, own_gateway, until, url_of

from crosstown.gateway.listening import address
from crosstown.gateway.publishing import AT_ONCE, OF_ONE
from crosstown.settings import Settings

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "http.md").read_text("utf-8")
GOLDEN = json.loads((Path(__file__).parent / "golden" / "http.json").read_text("utf-8"))
CANARY = "canary-5513"


@pytest.fixture(scope="module")
def tenants(installation: Installation) -> Agency:
    return Agency(url_of(installation), key_of(installation.home, "riverton-tenants"))


def problem(answer: httpx.Response, status: int, word: str = "") -> dict[str, Any]:
    """An answer's problem, in the form that programs rely on."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["status"] == status
    assert said["type"].startswith("urn:crosstown:problem:")
    assert word in said["type"], said
    assert said["detail"]
    assert "Traceback" not in answer.text
    return said


def went(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 202, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    assert all(one["receipt"]["offset"] >= 0 for one in events)
    return events


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    return str(found)


def test_pasted_line_fails(installation: Installation, tenants: Agency) -> None:
    env = {**os.environ, "URL": tenants.url, "KEY": tenants.key}
    for command in (["bash", "-euc", block("sh")], [sys.executable, "-c", block("python")]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "202" in done.stdout
    installation.stats()
    for number in ("RTU-9101", "RTU-9103", "RTU-9104"):
        case = installation.case(number)
        assert [one["via"] for one in case["entries"]] == ["push"], number
    assert set(re.findall(r"(\w+) = ", block("powershell"))) >= {*data("1"), "specversion", "data"}


def test_sdk_is_refused_in_one_of_its_modes(installation: Installation, tenants: Agency) -> None:
    about = {"source": "/ü b", "type": "events", "datacontenttype": "application/json"}
    events = [
        CloudEvent({**about, "id": f'"{n}" é'}, data(f"SDK-{n}", note="Größe")) for n in range(4)
    ]
    binary, structured = to_binary_event(events[0]), to_structured_event(events[1])
    batch = b"[" + b",".join(to_structured_event(one).body for one in events[2:]) + b"]"
    answers = [
        httpx.post(f"{tenants.url}/events", content=one.body,
                   headers={**one.headers, "Authorization": f"bearer {tenants.key}"})
        for one in (binary, structured)
    ]  # fmt: skip
    answers.append(tenants.post(batch, BATCH))
    said = [one for answer in answers for one in went(answer)]
    assert [one["id"] for one in said] == [f'"{n}" é' for n in range(4)]
    installation.stats()
    for n in range(4):
        assert installation.case(f"SDK-{n}")["events"] == 1
    assert installation.case("SDK-0")["entries"][0]["event_id"] == said[0]["event_id"]


def test_same_event_twice_is_two_or_the_older_word_counts(
    installation: Installation, tenants: Agency
) -> None:
    for _ in range(3):
        went(tenants.post(event("TWICE-1")))
    batch = [
        event("TWICE-2", data=data("TWICE-2", step=step)) for step in ("REPORTED", "WAITING") * 3
    ]
    went(tenants.post(batch, BATCH))
    line = json.dumps(data("TWICE-1")) + "\n"
    installation("publish", "events", "-", stdin=line).ok()
    installation.stats()
    (entry,) = installation.case("TWICE-1")["entries"]
    assert (entry["corrected"], entry["via"]) == (False, "push")
    (entry,) = installation.case("TWICE-2")["entries"]
    assert entry["step"] == "WAITING", "the last one said within the batch"


def test_contract_of_ones_own_needs_a_kafka_client(
    installation: Installation, tenants: Agency
) -> None:
    file = next((ROOT / "schemas/examples/riverton-tenants").glob("contacts.v1.*.json"))
    said = json.loads(file.read_text("utf-8"))
    went(tenants.post(event("OWN-1", type="contacts", data=said)))
    refused = problem(
        tenants.post(event("OWN-2", type="contacts", data={**said, "surprise": 1})), 422
    )
    (one,) = refused["events"]
    assert (one["reason"], one["field"]) == ("unknown-field", "surprise")
    installation.stats()


def test_bad_key_comes_in_or_tells_who_exists(tenants: Agency) -> None:
    texts = set()
    for key in ("x", f"ct_riverton-tenants_{'0' * 64}", f"ct_nobody_{'0' * 64}", tenants.key[:-1],
                tenants.key + "\u00e9", f"ct_riverton-police_{'0' * 64}", "a" * 5_000):  # fmt: skip
        headers = {b"Authorization": f"Bearer {key}".encode()}
        answer = httpx.post(f"{tenants.url}/events", content=b"{}", headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        texts.add(answer.text)
    texts.add(httpx.post(f"{tenants.url}/events").text)
    texts.add(httpx.post(f"{tenants.url}/events", auth=("a", tenants.key)).text)
    assert len(texts) == 1


def test_agency_speaks_for_another(tenants: Agency) -> None:
    answers = [tenants.post(event("FOR-1", data=data("FOR-1", agency)))
               for agency in ("riverton-police", "no-such-agency")]  # fmt: skip
    assert {one.text for one in answers} == {answers[0].text}
    said = problem(answers[0], 403, "events-refused")
    assert said["events"][0]["reason"] == "agency-of-another"
    for type_ in ("incidents", "no-such", "../../x", "events.riverton-police.incidents"):
        said = problem(tenants.post(event("FOR-2", type=type_)), 422)
        assert (said["events"][0]["reason"], said["events"][0]["field"]) == ("no-contract", "type")
    said = problem(
        tenants.post(event("FOR-3", data=data("F", record="riverton-police/incident/1"))), 422
    )
    assert said["events"][0]["field"] == "record"
    file = ROOT / "schemas/examples/any/erasures.v1.erased.json"
    problem(tenants.post(event("FOR-4", type="erasures", data=json.loads(file.read_text()))), 403)


def test_poison_stops_a_batch_or_goes_unsaid(installation: Installation, tenants: Agency) -> None:
    good, n = event("POISON-0"), 7
    batch: list[Any] = [
        good, event("P-1", data=data("P-1", jurisdiction="mars")), {**event("P-2"), "id": ""}, 7,
        event("P-4", data=data("P-4", via="hand")), event("P-5", data=data("P-5", note="x" * 300_000)),
        event("POISON-6"),
    ]  # fmt: skip
    said = problem(tenants.post(batch, BATCH), 422, "events-refused")
    assert (said["accepted"], said["refused"], said["unknown"]) == (2, n - 2, 0)
    assert [one["index"] for one in said["events"]] == list(range(n))
    found = [(one.get("reason"), one.get("field")) for one in said["events"]]
    assert found == [
        (None, None), ("unknown-jurisdiction", "jurisdiction"), ("missing-attribute", "id"), ("no-event", ""),
        ("not-said-here", "via"), ("body-too-large", ""), (None, None),
    ]  # fmt: skip
    assert all(one["mend"] for one in said["events"] if one.get("field"))
    installation.stats()
    for number in ("POISON-0", "POISON-6"):
        assert installation.case(number)["events"] == 1
    assert installation.dead_letters("events.riverton-tenants.events") == []
    assert went(tenants.post([], BATCH)) == []


def test_hostile_request_gets_something_else_than_a_problem(tenants: Agency) -> None:
    bomb = b'{"a":' * 100_000
    for content, media, status in (
        (bomb, STRUCTURED, 400), (b"[" * 500_000, BATCH, 400), (b"\xff", STRUCTURED, 400),
        (b'{"id":1,"id":2}', STRUCTURED, 400), (b"", STRUCTURED, 400), (b"{}", "text/plain", 415),
        (b"{}", "application/json", 400), ([event("M")] * 1_001, BATCH, 413),
        (b" " * 1_000_001, STRUCTURED, 413), (b"{}", "a" * 2_000, 415), (b"{}", "", 400),
    ):  # fmt: skip
        problem(tenants.post(content, media), status)
    problem(tenants.post(gzip.compress(b" " * 10_000_000), Content_Encoding="gzip"), 415)
    problem(tenants.post(event("M"), Content_Type="application/json", ce_id="%ff"), 400)

    def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {tenants.key}", "Content-Type": STRUCTURED}
    problem(httpx.post(f"{tenants.url}/events", content=chunks(), headers=headers), 413)
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = httpx.request(method, f"{tenants.url}/events")
        problem(answer, 405)
        assert answer.headers["allow"] == "POST"
    problem(httpx.get(f"{tenants.url}/../etc/passwd"), 404)
    problem(httpx.get(f"{tenants.url}/livez", headers={"X": "y" * 20_000}), 400)
    assert httpx.get(f"{tenants.url}/livez").json() == {"alive": True}
    assert httpx.get(f"{tenants.url}/readyz").json() == {"ready": True}


def dialled(url: str) -> socket.socket:
    host, port = url.rpartition("/")[2].split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def test_what_is_no_http_shows_our_insides(tenants: Agency) -> None:
    for said in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n",
                 b"POST /events HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"\x00" * 9_000):  # fmt: skip
        with dialled(tenants.url) as line:
            line.sendall(said + b"\r\n\r\n")
            answer = line.makefile("rb").read()
        assert b"application/problem+json" in answer, (said, answer)
        assert b"Traceback" not in answer
        assert b"aiohttp" not in answer


def begun(agency: Agency) -> bytes:
    """The beginning of a request whose body doesn't come."""
    return (f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agency.key}\r\n"
            f"Content-Type: {STRUCTURED}\r\nContent-Length: 1000\r\n\r\n{{").encode()  # fmt: skip


def test_slow_client_holds_a_line_forever(tenants: Agency) -> None:
    head = begun(tenants)

    def drip(said: bytes) -> bytes:
        """What comes back to who sends a byte now and then."""
        with dialled(tenants.url) as line:
            line.sendall(said)
            done = threading.Event()

            def more() -> None:
                while not done.wait(1):
                    try:
                        line.sendall(b"x")
                    except OSError:
                        return

            threading.Thread(target=more, daemon=True).start()
            heard = b""
            try:
                while some := line.recv(4_096):
                    heard += some
            except OSError:  # cut while we were sending
                pass
            done.set()
            return heard

    with ThreadPoolExecutor(60) as many:
        cut = many.submit(drip, b"GET /livez HTTP/1.1\r\nX: ")
        bodies = [many.submit(drip, head) for _ in range(OF_ONE - 1)]
        went(tenants.post(event("SLOW-1")))
        assert cut.result(60) == b""
        for one in bodies:
            assert b"408" in one.result(60).split(b"\r\n")[0]


def test_one_agencys_slow_lines_lock_the_others_out(
    installation: Installation, tenants: Agency
) -> None:
    police = Agency(tenants.url, key_of(installation.home, "riverton-police"))
    with ExitStack() as lines:
        slow = [lines.enter_context(dialled(tenants.url)) for _ in range(AT_ONCE)]
        for line in slow:
            line.sendall(begun(tenants))
        refused = 0
        while refused < AT_ONCE - OF_ONE:  # all others wait for their bodies
            heard, _, _ = select.select(slow, [], [], 10)
            assert heard, refused
            refused += len(heard)
            for line in heard:
                assert line.recv(4_096).startswith(b"HTTP/1.1 429 ")
                slow.remove(line)
        answer = tenants.post(event("SLOW-2"))
        problem(answer, 429, "too-many-requests")
        assert answer.headers["retry-after"] == "1"
        assert police.post([], BATCH).status_code == 202
    until(lambda: tenants.post([], BATCH).status_code == 202)


def test_rotated_or_revoked_key_still_works(installation: Installation, tenants: Agency) -> None:
    def works(key: str) -> bool:
        return Agency(tenants.url, key).post([], BATCH).status_code == 202

    first = installation("key", "add", "riverton-water").ok().out.strip()
    assert works(first)
    second = installation("key", "rotate", "riverton-water").ok().out.strip()
    assert works(first)
    assert works(second)
    third = installation("key", "rotate", "riverton-water", "--grace", "0").ok().out.strip()
    assert [works(one) for one in (first, second, third)] == [False, False, True]
    installation("key", "revoke", "riverton-water").ok()
    assert not works(third)


def test_what_was_said_or_a_key_stands_in_the_log(
    installation: Installation, tenants: Agency
) -> None:
    went(tenants.post(event("LOG-1", data=data("LOG-1", note=CANARY), id=CANARY)))
    tenants.post(event("LOG-2", type=CANARY, data={CANARY: CANARY}))
    httpx.post(f"{tenants.url}/events?{CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
    text = (installation.home / "logs" / "gateway.log").read_text("utf-8")
    assert CANARY not in text
    assert tenants.key[-64:] not in text
    assert "Traceback" not in text
    lines = [json.loads(one[one.index("{") :]) for one in text.splitlines() if '"route"' in one]
    assert any(one["contracts"] == {"any/events": 1} and one["agency"] == "riverton-tenants"
               for one in lines if one["status"] == 202)  # fmt: skip


def test_description_is_wrong(tenants: Agency) -> None:
    document = httpx.get(f"{tenants.url}/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    schemas = {"$defs": document["components"]["schemas"]}
    schemas = json.loads(json.dumps(schemas).replace("#/components/schemas/", "#/$defs/"))
    answers = {
        "Answer": tenants.post(event("DOC-1")),
        "Problem": tenants.post(event("DOC-2", type="x")),
    }
    responses = document["paths"]["/events"]["post"]["responses"]
    for name, answer in answers.items():
        assert str(answer.status_code) in responses
        Draft202012Validator({**schemas, "$ref": f"#/$defs/{name}"}).validate(answer.json())


def test_member_that_a_program_reads_is_gone(tenants: Agency) -> None:
    answer = tenants.post(event("GOLD-1")).json()
    answer["events"][0]["receipt"]["offset"] = 0
    assert answer == GOLDEN["answer"]
    assert (
        tenants.post(event("GOLD-2", data=data("GOLD-2", jurisdiction="mars"))).json()
        == GOLDEN["problem"]
    )


def test_kill_loses_or_doubles_what_was_acknowledged(
    installation: Installation, tenants: Agency
) -> None:
    def process() -> dict[str, Any]:
        status = installation("status", "-o", "json").ok().json()
        return next(one for one in status["processes"] if one["name"] == "gateway")

    receipts: dict[str, Any] = {}
    sent, killed = Counter[str](), threading.Event()

    def push(n: int) -> None:
        number = f"KILL-{n}"
        for _ in range(200):
            sent[number] += 1
            try:
                answer = tenants.post(event(number))
            except httpx.TransportError:
                killed.wait(0.2)
                continue
            if answer.status_code == 202:
                receipts[number] = answer.json()["events"][0]["receipt"]
                return
        raise AssertionError(number)

    with ThreadPoolExecutor(16) as many:
        pushing = [many.submit(push, n) for n in range(600)]
        for _ in range(2):
            until(lambda: process()["state"] == "running")
            os.kill(process()["pid"], signal.SIGKILL)
        for one in pushing:
            one.result(120)
    assert len(receipts) == 600
    assert max(sent.values()) > 1, "nothing was under way when it was killed"
    installation.stats()
    rows = installation(
        "sql", "select record, count(*) as n from events where record like '%/KILL-%' group by record",
        "-o", "json",
    ).ok().lines()  # fmt: skip
    assert len(rows) == 600
    assert {row["n"] for row in rows} == {1}


def test_answer_that_kafka_never_gave_is_waited_for_or_taken_for_a_receipt(
    installation: Installation, home: Path
) -> None:
    cutter = Cutter(installation.where.bootstrap, PRODUCE)
    with own_gateway(installation, home, CROSSTOWN_BOOTSTRAP=cutter.bootstrap) as own:
        tenants = own.agency()
        went(tenants.post(event("MUTE-0")))
        cutter.cut("mute")
        answer = tenants.post([event("MUTE-1"), event("MUTE-2", type="x")], BATCH)
        said = problem(answer, 503, "events-not-acknowledged")
        assert answer.headers["retry-after"]
        assert (said["accepted"], said["refused"], said["unknown"]) == (0, 1, 1)
        assert said["events"][0]["reason"] == "outcome-unknown"
        cutter.cut("")
        went(tenants.post(event("MUTE-1")))
        cutter.request = None
        cutter.cut("hold")
        until(lambda: httpx.get(f"{own.url}/readyz").status_code == 503)
        said = problem(tenants.post(event("MUTE-3")), 503)
        assert said["events"][0]["reason"] == "not-sent"
        assert httpx.get(f"{own.url}/livez").status_code == 200
    cutter.close()
    installation.stats()
    assert installation.case("MUTE-1")["events"] == 1
    assert installation("case", "MUTE-3").code == 2


def test_one_agency_takes_all_the_room(installation: Installation, home: Path) -> None:
    with own_gateway(installation, home, CROSSTOWN_GATEWAY_RATE="5") as own:
        tenants, police = own.agency(), own.agency("riverton-police")
        went(tenants.post([event(f"RATE-{n}") for n in range(100)], BATCH))
        answer = tenants.post(event("RATE-101"))
        problem(answer, 429, "too-many-requests")
        assert 10 < int(answer.headers["retry-after"]) < 25
        assert police.post([], BATCH).status_code == 202


def test_changed_contract_or_agency_needs_a_restart(
    installation: Installation, home: Path, tmp_path: Path
) -> None:
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    for name in ("agencies.yaml", "concerns.yaml"):
        (schemas / name).write_text((ROOT / "schemas" / name).read_text("utf-8"), "utf-8")
    with own_gateway(installation, home, CROSSTOWN_SCHEMAS=str(schemas)) as own:
        tenants = own.agency()
        problem(tenants.post(event("NEW-1", data=data("NEW-1", jurisdiction="us-xx-newtown"))), 422)
        text = (schemas / "agencies.yaml").read_text("utf-8")
        (schemas / "agencies.yaml").write_text("agencies: [", "utf-8")
        went(tenants.post(event("NEW-2")))
        new = "jurisdictions:\n  - {id: us-xx-newtown, name: Newtown, within: us}\n"
        (schemas / "agencies.yaml").write_text(text.replace("jurisdictions:\n", new), "utf-8")
        good = event("NEW-1", data=data("NEW-1", jurisdiction="us-xx-newtown"))
        until(lambda: tenants.post(good).status_code == 202)


def test_others_reach_it_unencrypted_or_its_certificate_is_not_used(
    installation: Installation, home: Path, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def make() -> str:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
             "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        return cert.read_text()

    first = make()
    tls = {"CROSSTOWN_GATEWAY_CERT": str(cert), "CROSSTOWN_GATEWAY_KEY": str(key)}
    with own_gateway(installation, home, **tls) as own:
        assert own.url.startswith("https://127.0.0.1:")
        tenants = own.agency(verify=ssl.create_default_context(cadata=first))
        went(tenants.post(event("TLS-1")))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{own.url}/livez")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{own.url}/livez".replace("https", "http"))
        second = make()
        port = int(own.url.rpartition(":")[2])
        until(lambda: ssl.get_server_certificate(("127.0.0.1", port)).strip() == second.strip())
        assert "Traceback" not in own.log.read_text()


@pytest.mark.parametrize(
    ("given", "words"),
    [({"gateway": "0.0.0.0:8443"}, "without TLS"), ({"gateway": "gateway.example:80"}, "without TLS"),
     ({"gateway": "8443"}, "is '8443'"), ({"gateway": ":8443"}, "is"), ({"gateway": "0.0.0.0:99999"}, "is"),
     ({"gateway_cert": "c.pem"}, "belong together"),
     ({"gateway_cert": "c.pem", "gateway_key": "k.pem"}, "aren't a certificate")],
)  # fmt: skip
def test_unsafe_address_is_listened_on(home: Path, given: dict[str, str], words: str) -> None:
    from crosstown.errors import Stop

    with pytest.raises(Stop, match=words) as stop:
        address(Settings(home=home, **given), home / "port")  # type: ignore[arg-type]
    assert stop.value.mend


def test_safe_address_is_refused(home: Path) -> None:
    for given, url in (("127.0.0.1:8080", "http://127.0.0.1:8080"), ("[::1]:8080", "http://[::1]:8080"),
                       ("localhost:80", "http://localhost:80")):  # fmt: skip
        assert address(Settings(home=home, gateway=given), home / "port").url == url
    open_ = Settings(home=home, gateway="0.0.0.0:8080", gateway_plain=True)
    assert address(open_, home / "port").url == "http://0.0.0.0:8080"
    first = address(Settings(home=home), home / "port")
    assert address(Settings(home=home), home / "port") == first, "it keeps its port"
