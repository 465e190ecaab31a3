"""Dead letters: which there are and why; said again once the contract, or the code list, is mended."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from chaos import until
from installation import Installation, Said, call, line

GOLDEN = Path(__file__).parent / "golden" / "cli" / "dead-letters.schema.json"
TOPIC = "events.eastvale-311.orders"
CONTRACT = "eastvale-311/orders"


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city's contracts, with one that doesn't know all of its codes."""
    folder = tmp_path_factory.mktemp("contracts") / "schemas"
    shutil.copytree(str(files("schemas")), folder)
    for ext in ("yaml", "avsc"):
        (folder / "eastvale-311").mkdir(exist_ok=True)
        text = (folder / f"any/events.v1.{ext}").read_text("utf-8")
        (folder / f"{CONTRACT}.v1.{ext}").write_text(text, "utf-8")
    mend(folder, "step: {field: channel, crosswalk: {phone: REPORTED}}")
    return folder


def mend(folder: Path, step: str) -> None:
    file = folder / f"{CONTRACT}.v1.yaml"
    text = re.sub(r"^( +)step: .*$", rf"\1{step}", file.read_text("utf-8"), flags=re.MULTILINE)
    assert step in text
    file.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, schemas: Path) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("letters")
    try:
        call(home, "up", "--detach", CROSSTOWN_SCHEMAS=str(schemas)).ok()
        yield Installation(home)
    finally:
        call(home, "down")


def letters(city: Installation, schemas: Path, *words: str) -> Said:
    return city("dead-letters", *words, CROSSTOWN_SCHEMAS=str(schemas))


def replayed(city: Installation, schemas: Path, *words: str) -> dict[str, object]:
    said = letters(city, schemas, "replay", *words, "-o", "json").ok().json()
    golden = json.loads(GOLDEN.read_text("utf-8"))
    jsonschema.validate(said, golden["definitions"]["replay"])
    return said


def bodies(city: Installation) -> list[tuple[bytes, bytes]]:
    """Three orders as eastvale's own producer sends them: key and framed body, without headers."""
    from crosstown.avro.codec import Encoder, frame
    from crosstown.contracts.repository import Repository
    from crosstown.registry.client import Registry

    contract = Repository.load().contracts["any/events"]
    registry = Registry.at(city.settings, city.where)
    number = registry.register(f"{TOPIC}-value", contract.schema_text)
    registry.close()
    encoder = Encoder(contract.schema)
    made = []
    for n, channel in enumerate(["phone", "fax", "fax"]):
        said = {
            "agency": "eastvale-311", "record": f"eastvale-311/order/{n}", "type": "order.placed",
            "step": "REPORTED", "occurred_at": 1_772_440_200_000_000, "due_at": None,
            "jurisdiction": "us-xx-eastvale", "place": "", "area": "", "concern": "",
            "to_agency": "", "channel": channel, "refs": [], "flags": [], "identity": [],
            "payload": "the caller was upset",
        }  # fmt: skip
        made.append((str(n).encode(), frame(number, b"") + encoder.encode(said)))
    return made


def test_nothing_is_said_where_there_is_none(city: Installation, schemas: Path) -> None:
    assert letters(city, schemas).ok().out == "no dead letters\n"
    assert "no dead letters" in letters(city, schemas, "replay").ok().out
    assert letters(city, schemas, "show", "events.x.y/0/0").code == 2
    assert letters(city, schemas, "show").code == 2
    assert letters(city, schemas, "list", "--raw", "x").code == 2


def test_what_is_mended_stays_a_dead_letter(
    city: Installation, schemas: Path, tmp_path: Path
) -> None:
    sent = bodies(city)
    with city.producer() as theirs:
        for key, body in sent:
            theirs.produce(TOPIC, body, key)
        theirs.produce(TOPIC, b"\0nonsense", b"x")
    until(lambda: "fax" in letters(city, schemas).ok().out)
    before = city.stats()
    assert before["dead_letters_by_reason"] == {"unknown-code": 2, "too-short": 1} or (
        before["dead_letters"] == 3
    )

    rows = letters(city, schemas, "list", "-o", "json").ok().lines()
    golden = json.loads(GOLDEN.read_text("utf-8"))
    for row in rows:
        jsonschema.validate(row, golden["definitions"]["letter"])
    assert [row["topic"] for row in rows] == [TOPIC] * 3
    fax = [row["name"] for row in rows if row["reason"] == "unknown-code"]
    assert len(fax) == 2
    shown = letters(city, schemas, "show", fax[0], "--raw", str(tmp_path / "bytes")).ok()
    assert "upset" not in shown.out, "free text stays closed"
    assert (tmp_path / "bytes").read_bytes() == sent[1][1]
    assert (tmp_path / "bytes").stat().st_mode & 0o077 == 0

    # nothing is mended: nothing passes, and nothing is sent, whoever says --yes
    assert replayed(city, schemas, "--yes")["sent"] == 0
    assert city.stats() == before

    mend(schemas, "step: {field: channel, crosswalk: {phone: REPORTED, fax: IN_PROGRESS}}")
    tried = replayed(city, schemas)
    assert (tried["sent"], tried["would_pass"]) == (0, 2)
    assert city.stats() == before, "a dry run changes nothing"
    one = letters(city, schemas, "replay", fax[0], "--yes").ok()
    assert f"1 of {TOPIC} were said again" in one.out
    again = letters(city, schemas, "replay", fax[0], "--yes")
    assert again.code == 2, "it isn't a dead letter any more"
    assert replayed(city, schemas, "--topic", TOPIC, "--yes")["sent"] == 1
    after = city.stats()
    assert after["events"] == before["events"] + 2
    assert after["dead_letters"] == 1, "intake has read the mended contract by itself"
    case = city.case("eastvale-311/order/1")
    (entry,) = case["entries"]
    assert entry["step"] == "IN_PROGRESS"
    about = next(row for row in rows if row["name"] == fax[0])
    assert entry["known_at"] == about["produced_at"], "as of when it was sent first"
    assert replayed(city, schemas, "--yes")["sent"] == 0, "twice is once"
    assert city.stats() == after


def test_a_broken_contract_stops_intake(city: Installation, schemas: Path) -> None:
    before = city.stats()
    file = schemas / f"{CONTRACT}.v1.yaml"
    good = file.read_text("utf-8")
    file.write_text("[", "utf-8")
    key, body = bodies(city)[1]
    with city.producer() as theirs:
        theirs.produce(TOPIC, b"\0more nonsense", b"x")
        theirs.produce(TOPIC, body, key)
    after = city.stats()
    assert after["dead_letters"] == before["dead_letters"] + 1
    assert after["events"] == before["events"]
    assert letters(city, schemas, "replay").code == 2, "and who asks is told where"
    file.write_text(good, "utf-8")
    city("publish", "events", "-", stdin=line("DL-1")).ok()
    assert city.stats()["events"] == before["events"] + 1
