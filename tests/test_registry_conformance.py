"""One suite for every registry: Confluent's routes as clients use them, ours and a real Apicurio."""

from __future__ import annotations

import json
from collections.abc import Iterator

import apicurio
import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from registry_cases import APICURIO, CASES, KNOWN, OURS
from registry_checks import BARE, CHECKS, NOTE, Api, at, record
from registry_differences import DIFFERENCES, PAGE, tables, written
from registry_pairs import MODES, PAIRS, VERDICTS
from registry_runs import Run, fits

from crosstown.registry.server import Server

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
        url, login, how = server.url, server.login, httpx.HTTPTransport()
    else:
        url, login, how = request.getfixturevalue("theirs"), None, apicurio.Patient()
    with httpx.Client(base_url=url, auth=login, timeout=60, transport=how) as http:
        http.put("/config", json={"compatibility": "BACKWARD"})
        yield Api(name, http, login)


@pytest.mark.parametrize("check", CHECKS)
def test_a_registry_answers_otherwise_than_is_known(api: Api, check: str) -> None:
    look, wanted = CHECKS[check]
    known, _why = DIFFERENCES.get((api.name, check), (wanted, ""))
    assert look(api, f"conformance.{check.replace(' ', '-')}-value") == known


@pytest.mark.parametrize("title", CASES)
def test_a_finer_case_is_answered_otherwise_than_is_known(api: Api, title: str) -> None:
    case = CASES[title]
    status, says, _ = KNOWN.get((api.name, title), (case.status, case.says, ""))
    got = Run(api.http).answer(case)
    assert got[0] == status
    assert fits(says, got[1]), got[1]
    if (api.name, title) in KNOWN:
        assert not (got[0] == case.status and fits(case.says, got[1])), "the difference is gone"


def test_confluents_client_meets_something_it_doesnt_know(api: Api) -> None:
    user = {"basic.auth.user.info": ":".join(api.login)} if api.login else {}
    subject, topic = "conformance.client", "conformance.serde"
    first = Schema(record(subject), "AVRO")
    follows = Schema(record(subject, NOTE), "AVRO")
    breaks = Schema(record(subject, BARE), "AVRO")
    with SchemaRegistryClient({"url": f"{api.http.base_url}".rstrip("/"), **user}) as client:
        number = client.register_schema(subject, first)
        assert client.register_schema(subject, first, normalize_schemas=True) == number
        assert client.lookup_schema(subject, first).version == 1
        assert client.test_compatibility(subject, follows)
        assert not client.test_compatibility(subject, breaks)
        with pytest.raises(SchemaRegistryError) as conflict:
            client.register_schema(subject, breaks)
        assert conflict.value.http_status_code == 409
        assert client.get_latest_version(subject).schema_id == number
        assert subject in client.get_subjects()
        client.set_compatibility(subject, "FULL")
        assert client.get_compatibility(subject) == "FULL"
        assert client.register_schema(subject, follows) != number
        assert client.get_versions(subject) == [1, 2]
        assert client.delete_version(subject, 2) == 2
        assert 1 in client.delete_subject(subject)
        context = SerializationContext(topic, MessageField.VALUE)
        value = AvroSerializer(client, record(topic, NOTE))({"number": "7", "note": "é"}, context)
        assert AvroDeserializer(client)(value, context) == {"number": "7", "note": "é"}


def test_a_listed_difference_is_none() -> None:
    for (name, check), (seen, why) in DIFFERENCES.items():
        assert name in NAMES
        assert seen != CHECKS[check][1], f"{check}: that is what Confluent's documents want"
        assert why


def test_a_verdict_is_another_than_is_known(api: Api) -> None:
    for name, (old, _, _) in PAIRS.items():
        api.register(f"verdict {name}", json.dumps(old))
    seen = dict.fromkeys(PAIRS, "")
    for mode in MODES:
        api.json("PUT", "/config", {"compatibility": mode})
        for name, (_, new, _) in PAIRS.items():
            path = f"/compatibility/subjects/{at(f'verdict {name}')}/versions/latest"
            found = api.json("POST", path, {"schema": json.dumps(new)})["is_compatible"]
            seen[name] += "+" if found else "-"
    api.json("PUT", "/config", {"compatibility": "BACKWARD"})
    ours = {name: verdict for name, (_, _, verdict) in PAIRS.items()}
    theirs = ours | {name: verdict for name, (verdict, _) in VERDICTS.items()}
    assert seen == (ours if api.name == OURS else theirs)


def test_a_verdict_that_is_listed_as_another_is_the_same() -> None:
    assert len(PAIRS) >= 60
    for name, (verdict, why) in VERDICTS.items():
        assert verdict != PAIRS[name][2]
        both = zip(PAIRS[name][2], verdict, strict=True)
        assert ("+", "-") not in both, "ours lets something through that Apicurio refuses"
        assert why


def test_the_page_on_registries_is_stale() -> None:
    page = PAGE.read_text("utf-8")
    assert page == written(page), "python tests/registry_differences.py"
    assert all(table in page for table in tables().values())
