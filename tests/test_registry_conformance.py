"""One suite for every registry: Confluent's routes as clients use them, ours and a real Apicurio."""

from __future__ import annotations

from collections.abc import Iterator

import apicurio
import httpx
import pytest
from registry_checks import CHECKS, Api
from registry_differences import APICURIO, DIFFERENCES, OURS

from crosstown.registry_server import Server

NAMES = (OURS, APICURIO)


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio.running(tmp_path_factory.mktemp("apicurio")) as url:
        yield url


@pytest.fixture(scope="session", params=NAMES)
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    name: str = request.param
    if name == OURS:
        server: Server = request.getfixturevalue("server")
        url, login = server.url, server.login
    else:
        url, login = request.getfixturevalue("theirs"), None
    with httpx.Client(base_url=url, auth=login, timeout=20) as http:
        yield Api(name, http)


@pytest.mark.parametrize("check", CHECKS)
def test_a_registry_answers_otherwise_than_is_known(api: Api, check: str) -> None:
    look, wanted = CHECKS[check]
    known, _why = DIFFERENCES.get((api.name, check), (wanted, ""))
    assert look(api, f"conformance.{check.replace(' ', '-')}-value") == known


def test_a_listed_difference_is_none() -> None:
    for (name, check), (seen, why) in DIFFERENCES.items():
        assert name in NAMES
        assert seen != CHECKS[check][1], f"{check}: that is what Confluent's documents want"
        assert why
