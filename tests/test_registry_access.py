"""Who may change what at the embedded registry, and what it makes of two thousand odd requests."""

from __future__ import annotations

import json
import logging
import random
import socket
import stat
from base64 import b64encode
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from crosstown.backbone.login import at_registry
from crosstown.errors import Unavailable
from crosstown.home import Endpoints, shown
from crosstown.registry.client import Registry
from crosstown.registry.server import Server
from crosstown.settings import Settings


def text(name: str, *more: dict[str, Any]) -> str:
    fields = [{"name": "number", "type": "string"}, *more]
    return json.dumps({"type": "record", "name": name, "fields": fields})


NOTE = {"name": "note", "type": "string", "default": ""}


@pytest.fixture
def there(server: Server, request: pytest.FixtureRequest) -> str:
    """A subject with one version, the schema `text("There")`."""
    subject = f"{request.node.name}-value"
    with Registry(server.url, login=server.login) as operator:
        operator.register(subject, text("There"))
    return subject


def test_a_stranger_changes_something(server: Server, there: str) -> None:
    body = {"schema": text("There", NOTE)}
    login = ":".join(server.login)
    wrong = [
        {}, *({"Authorization": said} for said in (
            "", "Basic", "Basic !!", f"Basic {login}", "Bearer x", "Basic x y",
            basic(server.login[0], ""), basic("", server.login[1]), basic("ann", server.login[1]),
            basic(*server.login)[:-4], basic(*server.login).replace("Basic", "Bearer"),
        )),
    ]  # fmt: skip
    for who in wrong:
        for method, path, said in (
            ("POST", f"/subjects/{there}/versions", body),
            ("POST", "/subjects/a-strangers-value/versions", body),
            ("DELETE", f"/subjects/{there}", None),
            ("DELETE", f"/subjects/{there}?permanent=true", None),
            ("DELETE", f"/subjects/{there}/versions/1", None),
            ("PUT", "/config", {"compatibility": "NONE"}),
            ("PUT", f"/config/{there}", {"compatibility": "NONE"}),
            ("DELETE", "/config", None),
            ("DELETE", f"/config/{there}", None),
            ("PUT", "/mode", {"mode": "READWRITE"}),
            ("PUT", f"/mode/{there}", {"mode": "READWRITE"}),
        ):
            answer = httpx.request(method, server.url + path, json=said, headers=who)
            assert answer.status_code == 401, (method, path, who)
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert answer.json()["error_code"] == 401
            assert answer.json()["message"]
    with Registry(server.url) as anyone:
        assert anyone.texts(there) == [json.dumps(json.loads(text("There")), separators=(",", ":"))]
        assert "a-strangers-value" not in anyone.subjects()
        assert anyone.compatibility(there) == ""


def basic(name: str, secret: str) -> str:
    return "Basic " + b64encode(f"{name}:{secret}".encode()).decode()


def test_confluents_client_cant_change_something_with_the_password(
    server: Server, there: str
) -> None:
    how = {"url": server.url, "basic.auth.user.info": ":".join(server.login)}
    with SchemaRegistryClient(how) as client:
        client.register_schema(there, Schema(text("There", NOTE), "AVRO"))
        client.set_compatibility(there, "NONE")
        assert client.delete_version(there, 2) == 2
        assert client.get_versions(there) == [1]
    host = server.url.removeprefix("http://")
    with SchemaRegistryClient({"url": f"http://{':'.join(server.login)}@{host}"}) as client:
        assert client.delete_subject(there) == [1]


def test_an_agencys_plain_client_cant_read_or_start(server: Server, there: str) -> None:
    with SchemaRegistryClient({"url": server.url, "max.retries": 0}) as client:
        assert client.get_latest_version(there).version == 1
        assert client.test_compatibility(there, Schema(text("There", NOTE), "AVRO"))
        assert str(client.get_compatibility()) == "BACKWARD"
        spaced = json.dumps(json.loads(text("There")), indent=2)
        assert client.register_schema(there, Schema(spaced, "AVRO")) > 0
        context = SerializationContext(there.removesuffix("-value"), MessageField.VALUE)
        assert AvroSerializer(client, text("There"))({"number": "7"}, context)
        with pytest.raises(SchemaRegistryError) as refused:
            client.register_schema(there, Schema(text("There", NOTE), "AVRO"))
        assert (refused.value.http_status_code, refused.value.error_code) == (401, 401)


def test_a_hidden_schema_is_brought_back_by_a_stranger(server: Server, there: str) -> None:
    httpx.delete(f"{server.url}/subjects/{there}", auth=server.login).raise_for_status()
    with Registry(server.url) as anyone, pytest.raises(Unavailable, match="401"):
        anyone.register(there, text("There"))


def test_our_client_isnt_told_how_to_be_let_in(server: Server, there: str) -> None:
    with Registry(server.url) as anyone:
        assert anyone.register(there, text("There"))
        with pytest.raises(Unavailable, match=r"refuses this.*only the operator") as refused:
            anyone.set_compatibility(there, "NONE")
        assert "CROSSTOWN_REGISTRY" in refused.value.mend
    name, secret = server.login
    host = server.url.removeprefix("http://")
    with Registry(f"http://{name}:{secret}@{host}") as named:
        named.set_compatibility(there, "NONE")
        assert named.compatibility(there) == "NONE"


def test_another_registry_is_told_this_homes_password(server: Server) -> None:
    home = server._log._settings.home
    settings = Settings(home=home)
    assert at_registry(settings, server.url) == server.login
    for other in ("http://127.0.0.1:9", server.url + "/", "https://city.example", "",
                  server.url.replace("127.0.0.1", "127.0.0.2")):  # fmt: skip
        assert at_registry(settings, other) is None
        assert Registry.at(settings, Endpoints("", other)).login is None
    assert stat.S_IMODE((home / "kafka/operator.secret").stat().st_mode) == 0o600
    assert server.login[1] not in repr(Registry.at(settings, Endpoints("", server.url)))


def test_a_password_in_the_address_is_logged_or_shown(
    server: Server, there: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host = server.url.removeprefix("http://")
    with Registry(f"http://ann:s3cr%40et@{host}") as named, pytest.raises(Unavailable) as refused:
        named.set_compatibility(there, "NONE")
    assert "s3cr" not in caplog.text + str(refused.value) + refused.value.mend
    assert shown(f"http://ann:s3cr@t@{host}/x") == f"http://{host}/x"


METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"HEAD",
    b"OPTIONS",
    b"BREW",
    b"",
    b"get",
    b"\0",
)
PATHS = (
    b"/", b"/subjects", b"/subjects/fuzz-value", b"/subjects/fuzz-value/versions",
    b"/subjects/fuzz-value/versions/latest", b"/subjects/fuzz-value/versions/1/schema",
    b"/compatibility/subjects/fuzz-value/versions/latest?verbose=true", b"/config/fuzz-value",
    b"/mode/fuzz-value", b"/schemas/ids/1", b"/schemas/ids/1/versions", b"/schemas/types",
    b"//[", b"http://[x/subjects", b"/subjects/%", b"/subjects/%ff%fe/versions", b"*", b"?",
    b"/subjects/" + b"x" * 300 + b"/versions", b"/" + b"a" * 70_000, b"/schemas/ids/" + b"9" * 5000,
    b"/subjects/..%2f..%2fetc/versions", b"/subjects/fuzz-value/versions/\xb2", b"/subjects?deleted=\0",
    b"/subjects?" + b"a=1&" * 3000, b"/schemas/ids/-1", b"/subjects//versions", b"no-slash", b"",
)  # fmt: skip
BODIES = (
    b"", b"{", b"null", b"5", b"[]", b'"x"', b'{"schema": "{}"}', b'{"schema": "\\"int\\""}',
    b'{"schema": 5}', b'{"schema": null}', b'{"schema": ["int"]}', b"\xff\xfe\0", b"[" * 20_000,
    b'{"schema": "' + b"[" * 20_000 + b'"}', b'{"compatibility": {"a": 1}}', b'{"compatibility": 5}',
    b'{"schema": "{\\"type\\": \\"record\\", \\"name\\": \\"F\\", \\"doc\\": \\"\\\\ud800\\", \\"fields\\": []}"}',
    b'{"schema": "\\ud800"}', b'{"schema": "\\"int\\"", "references": 5}', b'{"mode": ["x"]}', b"NaN",
    b'{"schema": "{\\"type\\": \\"fixed\\", \\"name\\": \\"X\\", \\"size\\": 1e400}"}', b" " * 3000,
    b'{"schema": "{\\"type\\": {\\"type\\": {\\"type\\": \\"int\\"}}}"}', b'{"schema": "", "schemaType": 7}',
)  # fmt: skip
LENGTHS = (
    b"-5",
    b"\xb2",
    b"1e3",
    b"0x10",
    b"99999999999999999999",
    b"00000000000000005000000",
    b"",
    b"7, 7",
)
HEADERS = (
    b"Content-Type: application/json", b"Content-Type: text/plain", b"Transfer-Encoding: chunked",
    b"Authorization: Basic \xff", b"Authorization: " + b"x" * 3000, b"Expect: 100-continue", b"Host: \0",
    b"X: " + b"y" * 70_000, b"no colon", b": empty", b"Connection: keep-alive", b"Content-Length: 1",
    b"\r\nGET / HTTP/1.1", b"Accept: \xe9",
)  # fmt: skip


def odd_request(dice: random.Random, login: bytes) -> tuple[bytes, bool]:
    """The bytes of a request, and whether they are a whole one."""
    body = dice.choice(BODIES)
    if dice.random() < 0.2:
        body = bytes(dice.choice(body) if body else 0 for _ in range(dice.randrange(200)))
    length = str(len(body)).encode() if dice.random() < 0.9 else dice.choice(LENGTHS)
    version = dice.choice((b"HTTP/1.1",) * 9 + (b"HTTP/1.0", b"HTTP/9", b"", b"HTTP/x", b"\xff"))
    lines = [
        b" ".join(
            (dice.choice(METHODS[:4] * 4 + METHODS), dice.choice(PATHS[:9] * 3 + PATHS), version)
        )
    ]
    lines += [
        b"Content-Length: " + length,
        *dice.choices((HEADERS[0], *HEADERS), k=dice.randrange(4)),
    ]
    if dice.random() < 0.3:
        lines.append(b"Authorization: " + login)
    raw = b"\r\n".join([*lines, b"", body])
    if dice.random() < 0.1:
        return raw[: dice.randrange(len(raw))], False
    return raw, True


def test_an_odd_request_gets_no_answer_or_harms_others(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    dice = random.Random(20_261_128)
    login = basic(*server.login).encode()
    answered = waiting = 0
    with ExitStack() as ends:
        good = ends.enter_context(httpx.Client(base_url=server.url, timeout=10))
        for number in range(2000):
            raw, whole = odd_request(dice, login)
            one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            if not whole and waiting < 50:
                waiting += 1
                ends.enter_context(one).sendall(raw)  # it says no more, and doesn't go
                continue
            with one:
                answer = told(one, raw)
            if whole and answer and raw.split(b"\r\n")[0].strip():
                answered += 1
                head, _, body = answer.rpartition(b"\r\n\r\n")  # HTTP/0.9 has no head
                if not raw.startswith(b"HEAD "):
                    json.JSONDecoder().raw_decode(body.decode())
                assert b"Traceback" not in answer
                assert b" 500 " not in head.split(b"\r\n")[0], (raw[:300], answer)
            if number % 100 == 0:
                assert good.get("/subjects").is_success
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR], caplog.text
    assert answered > 1500


def told(one: socket.socket, raw: bytes) -> bytes:
    """The answer; none where the server had refused and gone before all was said."""
    try:
        one.sendall(raw)
        one.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: one.recv(65_536), b""))
    except OSError:
        return b""
