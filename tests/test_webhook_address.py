"""Where a webhook must never go, whatever a receiver's address says, and what is signed on the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstown.errors import Refused, Stop, Unavailable
from crosstown.outward.address import Guard, networks, target
from crosstown.outward.guarded import Poster, own_addresses, resolved
from crosstown.outward.patience import LONGEST, verdict, wait
from crosstown.outward.signing import answer_to, signed, verified

PUBLIC = "93.184.215.14"
NOT_ADDRESSES = (
    "", "example.org", "//example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://x/",
    "https://", "https:///x", "https://user@example.org/", "https://a:b@127.0.0.1/",
    "https://example.org@127.0.0.1/", "https://example.org\\@127.0.0.1/", "https://127.0.0.1#@example.org/",
    "https://example.org/#x", "https://example.org /", "https://example.org/a b", "https://exa\nmple.org/",
    "https://example.org/\r\nHost: x", "https://example.org:0/", "https://example.org:65536/",
    "https://example.org:080/", "https://example.org:-1/", "https://example.org:443:80/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
    "https://127.1/", "https://127.0.1/", "https://0/", "https://017700000001/", "https://127.0.0.1./",
    "https://localhost./", "https://256.256.256.256/", "https://1.2.3.4.5/", "https://example.0x7f/",
    "https://[::1/", "https://::1/", "https://[fe80::1%25eth0]/", "https://[::ffff:7f00:1]]/",
    "https://[127.0.0.1]x/", "https://%31%32%37.0.0.1/", "https://127。0。0。1/", "https://\uff11\uff12\uff17.0.0.1/",
    "https://ⓔxample.org/", "https://ex_ample.org/", "https://.example.org/", "https://a..b/",
    "https://" + "a" * 64 + ".org/", "https://" + "a." * 130 + "org/", "https://example.org/" + "x" * 2_000,
)  # fmt: skip
NEVER = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.170", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:93.184.215.14",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1", "x", "",
)  # fmt: skip
MAY = (
    PUBLIC,
    "1.1.1.1",
    "100.63.255.255",
    "172.15.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "2a00::1",
)


@pytest.mark.parametrize("url", NOT_ADDRESSES)
def test_address_that_programs_read_differently_is_taken(url: str) -> None:
    with pytest.raises(Refused, match="webhook-address"):
        target(url)


def test_plain_address_is_refused() -> None:
    assert target("https://Example.org") == (True, "example.org", 443, "/")
    assert target("https://example.org:8443/a/b?c=d%20e&f=@") == (
        True,
        "example.org",
        8443,
        "/a/b?c=d%20e&f=@",
    )
    assert target("https://xn--bcher-kva.example/x").host == "xn--bcher-kva.example"
    assert target("https://[2606:4700::1111]:444/").named == "[2606:4700::1111]:444"
    assert target(f"http://{PUBLIC}/").named == PUBLIC


@pytest.mark.parametrize("address", NEVER)
def test_network_of_ones_own_is_called(address: str) -> None:
    with pytest.raises(Refused, match="webhook-address"):
        Guard().check(address, secure=True)


def test_public_address_is_not_called_or_without_tls() -> None:
    for address in MAY:
        Guard().check(address, secure=True)
        with pytest.raises(Refused, match="without TLS"):
            Guard().check(address, secure=False)
        with pytest.raises(Refused, match="this machine"):
            Guard(own=[address]).check(address, secure=True)


def test_operator_allows_a_network_and_another_is_open() -> None:
    guard = Guard(networks(["10.1.0.0/16", "::1"]))
    for address in ("10.1.2.3", "::1"):
        guard.check(address, secure=False)
    for address in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3"):
        with pytest.raises(Refused):
            guard.check(address, secure=False)
    for wrong in ("10.1.0.1/16", "localhost", "", "10.0.0.0/33"):
        with pytest.raises(Stop, match="CROSSTOWN_WEBHOOK_ALLOW"):
            networks([wrong])


@given(st.ip_addresses())
def test_address_that_python_knows_as_not_global_is_called(address: Any) -> None:
    try:
        Guard().check(str(address), secure=True)
    except Refused:
        return
    assert address.is_global
    assert not address.is_multicast


class Receiver(BaseHTTPRequestHandler):
    """Answers as its server says."""

    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        self.server.answer(self)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def receiver(answer: Any, host: str = "127.0.0.1") -> Iterator[Any]:
    server: Any = ThreadingHTTPServer((host, 0), Receiver)
    server.heard, server.answer, server.daemon_threads = [], answer, True
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ok(request: Any) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "2")
    request.end_headers()
    request.wfile.write(b"ok")


def post(url: str, guard: Guard, **more: Any) -> Any:
    one = Poster(target(url), guard, **more)
    try:
        return one.post({"x": "1"}, b"body")
    finally:
        one.close()


def test_name_that_leads_to_this_machine_is_called() -> None:
    assert set(resolved("localhost", 80)) <= {"127.0.0.1", "::1"}
    with receiver(ok) as server:
        for url in (f"http://localhost:{server.server_port}/", f"https://localhost:{server.server_port}/",
                    f"http://127.0.0.1:{server.server_port}/", f"http://[::1]:{server.server_port}/"):  # fmt: skip
            with pytest.raises(Refused, match="this machine"):
                post(url, Guard())
        for own in own_addresses():
            with pytest.raises(Refused):
                Guard(own=own_addresses()).check(own, secure=True)
        assert server.heard == []
        allowed = Guard(networks(["127.0.0.0/8", "::1"]))
        assert post(f"http://127.0.0.1:{server.server_port}/a?b", allowed).body == b"ok"
        path, headers, body = server.heard[0]
        assert (path, headers["Host"], headers["x"], body) == (
            "/a?b", f"127.0.0.1:{server.server_port}", "1", b"body")  # fmt: skip


def test_name_means_one_thing_when_checked_and_another_when_called() -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    with receiver(ok) as server:
        rebinding("rebind.example", 1)  # the look-up of a check that stands apart
        with pytest.raises(Refused, match="this machine"):
            post(f"https://rebind.example:{server.server_port}/", Guard(), resolve=rebinding)
        with pytest.raises(Refused, match="this machine"):
            post("https://two.example/", Guard(), resolve=lambda _h, _p: [PUBLIC, "127.0.0.1"])
        assert server.heard == []


def test_checked_address_isnt_the_one_that_is_called() -> None:
    with receiver(ok, "127.0.0.2") as server:
        url = f"http://nowhere.invalid:{server.server_port}/"
        said = post(url, Guard(networks(["127.0.0.2"])), resolve=lambda _h, _p: ["127.0.0.2"])
        assert said.status == 200
        assert server.heard[0][1]["Host"] == f"nowhere.invalid:{server.server_port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_leads_to_a_network_of_ones_own(status: int) -> None:
    with receiver(ok, "127.0.0.3") as inside:

        def moved(request: Any) -> None:
            request.send_response(status)
            request.send_header("Location", f"http://127.0.0.3:{inside.server_port}/secret")
            request.send_header("Content-Length", "0")
            request.end_headers()

        with receiver(moved) as server:
            said = post(f"http://127.0.0.1:{server.server_port}/", Guard(networks(["127.0.0.1"])))
        assert said.status == status
        assert verdict(said.status) == "again"
        assert inside.heard == []


def test_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(ok) as proxy, receiver(ok) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        post(f"http://127.0.0.1:{server.server_port}/", Guard(networks(["127.0.0.1"])))
        assert (len(proxy.heard), len(server.heard)) == (0, 1)


def test_dripping_or_endless_answer_holds_a_courier() -> None:
    def drip(request: Any) -> None:
        for _ in range(100):
            try:
                request.wfile.write(b"H")
            except OSError:
                return
            time.sleep(0.05)

    def drip_body(request: Any) -> None:
        request.send_response(200)
        request.end_headers()
        drip(request)

    def endless(request: Any) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65_536)
        except OSError:
            return

    guard = Guard(networks(["127.0.0.1"]))
    for answer in (drip, drip_body):
        with receiver(answer) as server:
            one = Poster(target(f"http://127.0.0.1:{server.server_port}/"), guard)
            began = time.monotonic()
            with pytest.raises(Unavailable, match="ReadTimeout"):
                one.post({}, b"", patience=0.5)
            assert time.monotonic() - began < 3, "five seconds of dripping"
            one.close()
    with receiver(endless) as server:
        assert len(post(f"http://127.0.0.1:{server.server_port}/", guard).body) == 64_000


def test_certificate_of_another_is_believed(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                    cert], check=True, capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with receiver(ok) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        guard = Guard(networks(["127.0.0.1"]))
        url = f"https://localhost:{server.server_port}/"
        here: Any = {"resolve": lambda _h, _p: ["127.0.0.1"]}
        with pytest.raises(Unavailable, match="certificate"):
            post(url, guard, **here)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(cert))
            assert post(url, guard, **here).status == 200
            with pytest.raises(Unavailable, match="certificate"):
                post(url.replace("localhost", "other.example"), guard, **here)


def test_nobody_there_is_a_fault_of_ours() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        guard = Guard(networks(["127.0.0.1"]))
        with pytest.raises(Unavailable):
            post(f"http://127.0.0.1:{taken.getsockname()[1]}/", guard)
    with pytest.raises(Unavailable):
        post("https://there-is-no-such-host.invalid/", Guard())


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


def test_signature_is_another_than_the_standards() -> None:
    name = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    headers = signed([SECRET], name, 1_614_265_330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert verified(SECRET, headers, b'{"test": 2432232314}', 1_614_265_331) == name
    assert len(signed([SECRET, OTHER], "a", 1, b"")["webhook-signature"].split()) == 2


def test_forged_or_old_call_is_believed() -> None:
    headers = signed([OTHER, SECRET], "a", 1_000_000, b"body")
    assert verified(SECRET, headers, b"body", 1_000_300) == "a", "signed by the old secret too"
    forged = [
        (headers, b"bodY", 1_000_000), (headers, b"body", 1_000_301), (headers, b"body", 999_699),
        ({**headers, "webhook-id": "b"}, b"body", 1_000_000),
        ({**headers, "webhook-timestamp": "1000001"}, b"body", 1_000_000),
        ({**headers, "webhook-timestamp": "x"}, b"body", 1_000_000), ({}, b"body", 1_000_000),
        ({**headers, "webhook-signature": "v1,"}, b"body", 1_000_000),
        ({**headers, "webhook-signature": headers["webhook-signature"].replace("v1", "v2")}, b"body", 1_000_000),
        ({**headers, "webhook-signature": "\udcff v1,\u00e9"}, b"body", 1_000_000),
    ]  # fmt: skip
    for said, body, now in forged:
        with pytest.raises(Refused):
            verified(SECRET, said, body, now)
    with pytest.raises(ValueError, match="dot"):
        signed([SECRET], "a.1", 1, b"")


def test_answer_to_a_challenge_could_sign_a_call() -> None:
    at = "1000000"
    challenge = f"a.{at}.body"
    mac = hmac.new(base64.b64decode(SECRET[6:]), challenge.encode(), hashlib.sha256).digest()
    assert answer_to(SECRET, challenge) != base64.b64encode(mac).decode()


def test_receiver_is_called_without_a_pause_or_never() -> None:
    waits = [wait(failures, "", 0.5) for failures in range(1, 30)]
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == LONGEST
    assert wait(1, "120", 0.5) == 120
    assert wait(1, "99999999999999", 0.5) <= LONGEST
    assert wait(1, "Wed, 21 Oct 2015 07:28:00 GMT", 0.5) == 1
    assert (wait(3, "", 0), wait(3, "", 1)) == (3, 5)
    assert [verdict(one) for one in (200, 204, 301, 400, 401, 404, 410, 422, 429, 500, 0)] == [
        "taken", "taken", "again", "refuses", "again", "again", "gone", "refuses", "again", "again",
        "again"]  # fmt: skip
