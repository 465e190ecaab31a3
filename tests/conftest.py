"""One real Kafka for all tests that need one, and a fresh home for each test."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, running

from crosstown.embedded.broker import Broker
from crosstown.home import Endpoints
from crosstown.registry.server import Server
from crosstown.settings import Settings

STATUS = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how it went, for the end."""
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that a failed test left running must not keep the whole from ending."""
    me = threading.current_thread()
    left = [one for one in threading.enumerate() if one is not me and not one.daemon]
    if left and STATUS in config.stash:
        print("left running:", *(one.name for one in left), file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(config.stash[STATUS] or pytest.ExitCode.TESTS_FAILED)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker, shared by the whole session: name your topics apart."""
    one = Broker(Settings(home=tmp_path_factory.mktemp("broker"))).start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def server(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running registry, shared by the whole session: name your subjects apart."""
    home = tmp_path_factory.mktemp("registry")
    settings = Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login)
    one = Server(settings, Endpoints(broker.bootstrap, "")).start()
    yield one
    one.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home of the test's own."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def kafka(home: Path, broker: Broker) -> tuple[Settings, Endpoints]:
    """Settings with an empty home, and the session broker's endpoint (there is no registry)."""
    return Settings(home=home, bootstrap=broker.bootstrap, kafka=broker.login), Endpoints(
        broker.bootstrap, ""
    )


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A whole installation, shared by the whole session: number your records apart."""
    with running(tmp_path_factory.mktemp("city")) as one:
        yield one
