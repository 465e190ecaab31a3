"""Kafka's archives: what is used is what the lock says, whatever happens on the way."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosstown.embedded.jars import classpath, locked
from crosstown.errors import Unavailable
from crosstown.settings import Settings

CONTENT = {name: name.encode() * 1000 for name in ("one", "two", "three")}


class Repository(http.server.ThreadingHTTPServer):
    """A Maven repository of three archives, on a free port."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Shelf)
        self.torn = False
        self.asked = 0


class Shelf(http.server.BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        name = self.path.split("/")[-3]
        if not self.path.endswith(".jar") or name not in CONTENT:
            self.send_error(404)
            return
        self.server.asked += 1
        content = CONTENT[name] if not self.server.torn else b"torn"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        # the user's ordinary settings name the repository; nothing else can be reached
        conf = tmp_path / "jgo.conf"
        conf.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(conf))
        monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "some.lock"
    rows = [
        f"{hashlib.sha256(content).hexdigest()} {len(content)} org.example:{name}:1.0"
        for name, content in CONTENT.items()
    ]
    path.write_text("# a comment\n" + "\n".join(rows) + "\n")
    return path


def test_second_start_needs_the_network(repository: Repository, lock: Path, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path / "cache")
    first = classpath(settings, lock)
    assert [path.read_bytes() for path in first] == list(CONTENT.values())
    assert repository.asked == 3
    repository.torn = True
    assert classpath(settings, lock) == first
    assert repository.asked == 3


def test_damaged_archive_in_the_cache_is_used(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    settings = Settings(cache=tmp_path / "cache")
    one = classpath(settings, lock)[0]
    one.write_bytes(b"bad")
    assert classpath(settings, lock)[0].read_bytes() == CONTENT["one"]
    assert repository.asked == 4


def test_changed_archive_is_used(repository: Repository, lock: Path, tmp_path: Path) -> None:
    repository.torn = True
    with pytest.raises(Unavailable, match=r"org.example:\w+:1.0 arrived with another SHA-256"):
        classpath(Settings(cache=tmp_path / "cache"), lock)
    assert not list((tmp_path / "cache" / "jars").glob("*.jar"))
    assert not list((tmp_path / "cache" / "jars").glob(".arriving*"))


def test_torn_file_in_the_local_maven_repository_is_used(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    for name, content in {"one": b"torn", "two": CONTENT["two"]}.items():
        file = tmp_path / "m2" / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    paths = classpath(Settings(cache=tmp_path / "cache"), lock)
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert repository.asked == 2, "what the local repository has right isn't fetched"
    assert file.read_bytes() == CONTENT["two"], "the user's own repository is only read"


def test_no_network_is_told_without_what_to_do(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "jgo.conf"
    conf.write_text("[repositories]\ncentral = http://127.0.0.1:9\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(conf))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    with pytest.raises(Unavailable, match="can't be fetched") as caught:
        classpath(Settings(cache=tmp_path / "cache"), lock)
    assert "network" in caught.value.mend


def test_two_first_starts_disturb_each_other(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from crosstown.embedded.jars import classpath;"
        "from crosstown.settings import Settings;"
        "classpath(Settings(cache=Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "cache"), str(lock)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert repository.asked == 3


def test_lock_leaves_an_archive_without_its_hash() -> None:
    jars = locked()
    assert any(jar.coordinate == "org.apache.kafka:kafka_2.13:4.4.0" for jar in jars)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)
    assert len({jar.name for jar in jars}) == len(jars)
