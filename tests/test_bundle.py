"""`crosstown bundle`: canaries of secrets and data, looked for in whatever somebody is sent."""

from __future__ import annotations

import base64
import json
import os
import stat
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from installation import Installation, Said, call, line
from test_cli_commands import check

from crosstown.bundle.cleaning import Cleaner
from crosstown.bundle.known import known
from crosstown.log_lines import JsonLines, TextLines
from crosstown.outward.signing_secrets import SigningSecrets
from crosstown.private import write_private
from crosstown.settings import Settings

AGENCIES = ("riverton-311", "xx-county-health")
PEM = "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAKcanary"
MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"
TOLD: dict[str, tuple[str, str]] = {
    "password": ("login failed: password=hunter2-canary, again", "hunter2-canary"),
    "quoted password": ('config {"sasl.password": "two words; canary"}', "words; canary"),
    "password in quotes in quotes": ('said "password=\\"can ary\\"" and went', "can ary"),
    "jaas": (
        f'sasl.jaas.config = {MODULE} required username="u" password="canaryjaas";',
        "canaryjaas",
    ),
    "login module": ("x ScramLoginModule required user_a=canaryjaas;", "canaryjaas"),
    "token in a URL": ("GET https://h.example/x?a=1&access_token=canary77&b=2", "canary77"),
    "key in a URL": ("POST https://h.example/hook?api_key=canary77", "canary77"),
    "signature in a URL": ("https://h.example/blob?sv=1&sig=canary%2F77%3D", "canary%2F77"),
    "login in a URL": ("connecting to postgresql://city:canary77@db/x", "canary77"),
    "token for a name in a URL": ("https://canary77@registry.example/subjects", "canary77"),
    "basic": ("Authorization: Basic Y2l0eTpjYW5hcnk3Nw==", "Y2l0eTpjYW5hcnk3Nw"),
    "bearer": ("sent 'authorization': 'Bearer canary.canary-77'", "canary.canary-77"),
    "api key": (f"the key ct_riverton-311_{'ca' * 32} isn't known", "caca"),
    "webhook secret": ("signed by whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5", "Y2FuYXJ5"),
    "old password of the home": (f"it was {'ab12' * 12} before", "ab12ab12"),
    "web token": ("got eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.Q2FuYXJ5", "eyJjYW5hcnkiOjF9"),
    "cloud key": ("with AKIAIOSFODNN7CANARY1", "AKIAIOSFODNN7CANARY1"),
    "environment": ("CROSSTOWN_ERASURE_KEY=canary77 python -m x", "canary77"),
    "telephone number": ("dead letter: bad-value: call 857-555-0142 back", "857-555-0142"),
    "e-mail": ("no such: canary.bird@example.org", "canary.bird"),
    "record": ("waiting for riverton-311/request/CANARY-9: no answer", "CANARY-9"),
    "quoted words": ("bad-value: 'Ottoline Canary, 12 Elm' isn't a number", "Ottoline"),
    "private key": (f"-----BEGIN RSA PRIVATE KEY-----\n{PEM}\n-----END RSA PRIVATE KEY-----", PEM),
    "cut private key": (f"-----BEGIN PRIVATE KEY-----\n{PEM}\n", PEM),
}  # fmt: skip


def cleaner(*secrets: str) -> Cleaner:
    return Cleaner(secrets, AGENCIES, b"k")


def lines(message: str) -> list[str]:
    """A message as each of the logs may hold it: ours, as text and as JSON, and somebody else's."""
    import logging

    record = logging.LogRecord("a.b", logging.INFO, "f", 1, "%s", (message,), None)
    return [TextLines().format(record), JsonLines("intake").format(record), message]


@pytest.mark.parametrize("kind", TOLD)
def test_secret_in_a_log_goes_out(kind: str) -> None:
    message, canary = TOLD[kind]
    for one in lines(message):
        cleaned = cleaner().log(f"before\n{one}\nafter")
        assert canary not in cleaned, cleaned
        assert cleaned.startswith("before\n")


@pytest.mark.parametrize("message", [
    "waiting: Kafka doesn't answer (Connection refused); can't go on",
    "dead letter: events.riverton-311.service-requests/0/17: unknown-code: state",
    "shard 0: the local store stands at 120,441",
    "/var/lib/crosstown/kafka/data/accepted-0/00000000000000000000.log",
    "transaction not committed: Broker: Producer fenced -> see: crosstown status",
    "case 0d1f4c9e-3c3b-5a8e-9b7e-0d1f4c9e3c3b, basic checks, the key is missing",
])  # fmt: skip
def test_log_can_no_longer_be_read(message: str) -> None:
    assert all(message in cleaner().log(one) for one in lines(message))


def test_two_lines_about_one_record_cannot_be_joined() -> None:
    one, other = (cleaner().line(f"riverton-311/request/{n} waits") for n in ("A-1", "A-2"))
    assert one == cleaner().line("riverton-311/request/A-1 waits") != other
    assert Cleaner((), AGENCIES, b"other").line("riverton-311/request/A-1 waits") != one


def home_with_canaries(home: Path) -> tuple[dict[str, str], dict[str, str]]:
    """A home that never ran, with a secret of each kind; its environment, and the secrets."""
    secrets = {
        "operator": "0f" * 24, "erasure": "canary erasure", "audit": "1e" * 32,
        "pseudonym": "canary-pseudonym", "sasl": "pa/ss wörd", "casebook": "canary-db@1",
        "registry": "canary-registry", "pem": PEM, "variable": "canary-of-another",
        "certificate": "canary-keystore",
    }  # fmt: skip
    (home / "kafka").mkdir()
    write_private(home / "kafka/operator.secret", secrets["operator"])
    write_private(home / "pseudonym.key", secrets["pseudonym"])
    write_private(
        home / "gateway.pem", f"-----BEGIN PRIVATE KEY-----\n{PEM}\n-----END PRIVATE KEY-----\n"
    )
    secrets["webhook"] = SigningSecrets(home / "webhooks.json").add("some-agreement")
    environment = {
        "CROSSTOWN_KAFKA": json.dumps({
            "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "city",
            "sasl.password": secrets["sasl"], "ssl.keystore.password": secrets["certificate"],
        }),
        "CROSSTOWN_BOOTSTRAP": "127.0.0.1:1",
        "CROSSTOWN_REGISTRY": f"http://city:{secrets['registry']}@127.0.0.1:1",
        "CROSSTOWN_CASEBOOK": f"postgresql://city:{quote(secrets['casebook'], safe='')}@127.0.0.1:1/x",
        "CROSSTOWN_ERASURE_KEY": secrets["erasure"], "CROSSTOWN_AUDIT_KEY": secrets["audit"],
        "CROSSTOWN_GATEWAY_CERT": str(home / "gateway.pem"),
        "CROSSTOWN_GATEWAY_KEY": str(home / "gateway.pem"), "SOME_API_TOKEN": secrets["variable"],
    }  # fmt: skip
    return environment, secrets


def written(secret: str) -> set[str]:
    """A secret as it may stand in a log."""
    data = secret.encode()
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], data.hex(),
            base64.b64encode(data).decode().rstrip("="),
            base64.b64encode(b"city:" + data).decode().rstrip("=")}  # fmt: skip


def contents(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name).decode() for name in packed.namelist()}


def test_secret_of_the_home_goes_out(home: Path, tmp_path: Path) -> None:
    environment, secrets = home_with_canaries(home)
    (home / "logs").mkdir()
    said = "".join(f"INFO x 127.0.0.1 said: {form}!\n" for one in secrets.values() for form in written(one)
                   if form != base64.b64encode(b"city:" + one.encode()).decode().rstrip("=")
                   or one in (secrets["sasl"], secrets["registry"]))  # fmt: skip
    (home / "logs/intake.log").write_text(said + "the last line\n", "utf-8")
    (home / "logs/up.log").write_text(
        json.dumps({"message": said, "level": "INFO"}) + "\n", "utf-8"
    )
    (home / "logs/link.log").symlink_to(home / "pseudonym.key")
    os.mkfifo(home / "logs/pipe.log")
    file = tmp_path / "out.zip"
    done = call(home, "bundle", "--to", str(file), "-o", "json", **environment).ok()
    check("bundle", done.json())
    found = contents(file)
    everything = "\n".join((*found, *found.values(), done.out, done.err))
    for name, secret in secrets.items():
        for form in written(secret):
            assert form not in everything, f"{name}: {form}"
    assert "the last line" in found["logs/intake.log"]
    assert {"README.md", "settings.json", "versions.json", "logs/up.log"} <= set(found)
    assert not {"logs/link.log", "logs/pipe.log"} & set(found)
    given = json.loads(found["settings.json"])["settings"]
    assert given["kafka"]["sasl.mechanism"] == "SCRAM-SHA-512"
    assert given["kafka"]["sasl.password"] == given["casebook"] == "is set"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    missing = {one["name"]: one["why"] for one in done.json()["missing"]}
    assert "topics.json" in missing, "no cluster answers"
    assert not (home / "erasure.key").exists(), "looking makes no keys"


def test_self_check_sees_nothing() -> None:
    one = cleaner("canary")
    assert one.holds("a canary sings")
    assert not one.holds(one.text("a canary sings"))


def test_secret_is_as_short_as_a_word() -> None:
    settings = Settings(home=Path("/nowhere"), kafka={"sasl.password": "on", "acks": "all"})
    assert not known(settings, {"A_TOKEN": "true", "A_KEY": "/a/long/path"})


def test_bundle_grows_with_the_logs(home: Path, tmp_path: Path) -> None:
    (home / "logs").mkdir()
    row = "INFO x a line of some length that is written again and again\n"
    (home / "logs/cases.log").write_text(row * 200_000 + "the end\n", "utf-8")
    (home / "logs/feeds.log").write_text("secret" * 500_000, "utf-8")  # one line
    said = call(home, "bundle", "--to", str(tmp_path / "b.zip"), "-o", "json").ok().json()
    cut = {one["name"]: one for one in said["entries"]}
    assert cut["logs/cases.log"]["bytes"] <= 2_000_000
    assert cut["logs/cases.log"]["cut"]
    found = contents(tmp_path / "b.zip")["logs/cases.log"]
    assert found.startswith("INFO")
    assert found.endswith("the end\n")


def test_bundle_is_written_over_something(home: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.zip"
    there.write_text("mine", "utf-8")
    for to, home_given in (
        (there, home),
        (tmp_path / "no/such/folder.zip", home),
        (there, tmp_path / "no"),
    ):
        refused: Said = call(home_given, "bundle", "--to", str(to))
        assert (refused.code, refused.out) == (2, ""), refused
        assert "->" in refused.err
    assert there.read_text("utf-8") == "mine"
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith(".part")] == []


def test_bundle_of_what_runs_says_too_little(installation: Installation, tmp_path: Path) -> None:
    installation(
        "publish", "events", "-", stdin=line("BUNDLE-1", headline="canary-in-an-event")
    ).ok()
    installation.stats()
    file = tmp_path / "whole.zip"
    said = installation("bundle", "--to", str(file), "-o", "json").ok().json()
    check("bundle", said)
    assert said["missing"] == []
    found = contents(file)
    topics = json.loads(found["topics.json"])
    assert len(topics["topics"]["accepted"]) == 5
    assert topics["topics"]["events.riverton-311.events"][0]["end"] > 0
    assert topics["groups"]["intake"]["read"]["events.riverton-311.events/0"]["behind"] == 0
    status = json.loads(found["status.json"])
    assert {one["name"] for one in status["processes"]} >= {"broker", "intake", "cases", "gateway"}
    assert json.loads(found["ready.json"])["intake"]["status"] == "ok"
    assert {"severity", "findings"} <= set(json.loads(found["doctor.json"])["said"])
    for name in ("intake", "cases", "gateway", "registry", "broker"):
        assert f"logs/{name}.log" in found
        assert "crosstown_" in found[f"metrics/{name}.txt"]
    everything = "\n".join(found.values())
    operator = (installation.home / "kafka/operator.secret").read_text("ascii")
    for secret in (operator, "canary-in-an-event", "BUNDLE-1"):
        assert secret not in everything
