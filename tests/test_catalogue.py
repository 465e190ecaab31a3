"""What would be wrong with a catalogue: broken pages, lost contracts, scripts, others' files gone."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import files
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hostile_contracts import BAD, hostile
from installation import call
from test_check import second

from crosstown.catalogue.contents import Contents, read
from crosstown.catalogue.differences import differences
from crosstown.catalogue.pages import pages
from crosstown.catalogue.site import MARK, write
from crosstown.contracts.repository import contract_of
from crosstown.errors import Stop

SHIPPED: Final = Path(str(files("schemas")))
GOLDEN: Final = Path(__file__).parent / "golden" / "cli" / "docs.schema.json"
INSPECTIONS: Final = "contracts/riverton-housing.inspections.html"
LOST: Final = "riverton-housing/inspections.v1.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED, tmp_path / "schemas", ignore=shutil.ignore_patterns("__*"))


def contents_of(folder: Path) -> Contents:
    """What can be shown of a repository."""
    contents = read(folder)
    assert isinstance(contents, Contents)
    return contents


def site_of(folder: Path) -> dict[str, str]:
    """All files of a repository's catalogue."""
    return pages(contents_of(folder))


def parsed(site: dict[str, str]) -> dict[str, ET.Element]:
    """The pages as trees; every page is well-formed XML too, so no tag is left open."""
    return {name: ET.fromstring(text) for name, text in site.items() if name.endswith(".html")}


def text_of(page: ET.Element | str) -> str:
    """What a reader sees, spaces as one."""
    tree = ET.fromstring(page) if isinstance(page, str) else page
    return " ".join(" ".join(tree.itertext()).split())


# every page


@pytest.mark.parametrize("kind", ["as shipped", "hostile"])
def test_page_is_no_good_for_a_screen_reader(tmp_path: Path, kind: str) -> None:
    site = site_of(SHIPPED if kind == "as shipped" else hostile(tmp_path / "bad"))
    trees = parsed(site)
    assert len(trees) > 40
    titles = [tree.findtext("head/title") for tree in trees.values()]
    assert len(set(titles)) == len(titles) or kind == "hostile"
    for name, tree in trees.items():
        assert tree.get("lang") == "en", name
        ids = [one.get("id") for one in tree.iter() if one.get("id")]
        assert len(set(ids)) == len(ids), name
        assert len(tree.findall(".//main")) == 1, name
        levels = [int(one.tag[1]) for one in tree.iter() if re.fullmatch("h[1-6]", one.tag)]
        assert levels[0] == 1, name
        assert levels.count(1) == 1, name
        assert all(b - a <= 1 for a, b in pairwise(levels)), (name, levels)
        for table in tree.iter("table"):
            assert table.find("caption") is not None, name
            assert all(th.get("scope") in ("col", "row") for th in table.iter("th")), name
            width = len(table.findall("thead/tr/th"))
            assert all(len(row) == width for row in table.findall("tbody/tr")), name
        labels = {one.get("for") for one in tree.iter("label")}
        assert all(one.get("id") in labels for one in tree.iter("input")), name
        for one in tree.iter():
            by = one.get("aria-labelledby")
            assert by is None or by in ids, (name, by)
        assert all("".join(a.itertext()).strip() for a in tree.iter("a")), name


@pytest.mark.parametrize("kind", ["as shipped", "hostile", "with a lost contract"])
def test_link_leads_nowhere(tmp_path: Path, folder: Path, kind: str) -> None:
    if kind == "with a lost contract":
        (folder / LOST).write_text("no: contract")
    site = site_of(hostile(tmp_path / "bad") if kind == "hostile" else folder)
    trees = parsed(site)
    anchors = {name: {one.get("id") for one in tree.iter()} for name, tree in trees.items()}
    followed = 0
    for name, tree in trees.items():
        for one in tree.iter():
            target = one.get("href") or one.get("src")
            if target is None or target.startswith(("mailto:", "https://")):
                assert one.tag in ("a", *([one.tag] if target is None else []))
                continue
            path, fragment = urldefrag(unquote(target))
            at = _joined(PurePosixPath(name).parent, path) if path else name
            assert at in site, (name, target)
            assert not fragment or fragment in anchors[at], (name, target)
            followed += 1
    assert followed > 500
    reached = {"index.html"}
    for name in ("index.html", "jurisdictions.html"):
        reached |= {urldefrag(a.get("href", ""))[0] for a in trees[name].iter("a")}
    assert trees.keys() <= reached, "a page that no list leads to"


def _joined(folder: PurePosixPath, path: str) -> str:
    parts: list[str] = list(folder.parts)
    for part in PurePosixPath(path).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def test_contract_runs_a_script_in_the_reader(tmp_path: Path) -> None:
    site = site_of(hostile(tmp_path / "bad"))
    seen = 0
    for name, tree in parsed(site).items():
        scripts = list(tree.iter("script"))
        assert [one.get("src") for one in scripts] == (["catalogue.js"] * (name == "index.html"))
        assert all(not (one.text or "").strip() for one in scripts)
        assert not [k for one in tree.iter() for k in one.attrib if k.startswith(("on", "style"))]
        hrefs = [one.get("href", "") for one in tree.iter("a")]
        assert not [href for href in hrefs if "javascript" in href.casefold()]
        assert not re.search("[\u202e\x07]", site[name])
        seen += text_of(tree).count("<script>alert(1)</script>")
        assert "49" not in text_of(tree).replace("{{ 7*7 }}", "")[:200], "a template in a text ran"
    assert seen > 500
    said = text_of(site[INSPECTIONS])
    for where in ("Use", "Limits", "Team", "Domain", "How often"):
        assert re.search(rf"{where}[^<]{{0,40}}<script>", said), where
    assert BAD.split(" ", 1)[0] in said


def test_page_loads_something_from_elsewhere() -> None:
    for name, text in site_of(SHIPPED).items():
        if name.endswith((".css", ".js")):
            assert not re.search(r"https?:|url\(|@import|fetch|innerHTML|eval", text), name
        for one in ET.fromstring(text).iter() if name.endswith(".html") else ():
            if one.tag in ("script", "link", "img", "iframe"):
                assert not re.match(r"(\w+:)?//", one.get("src") or one.get("href") or "")


def test_text_can_hardly_be_read() -> None:
    css = site_of(SHIPPED)["catalogue.css"]
    light, dark = re.findall(r":root \{([^}]*--ground[^}]*)\}", css)
    for words in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#\w+)", words))
        pairs = [("text", "ground"), ("quiet", "ground"), ("link", "ground"), ("quiet", "raised"),
                 ("text", "raised"), ("link", "raised"), ("ground", "confidential")]  # fmt: skip
        pairs += [(name, f"{name}-on") for name in colours if f"{name}-on" in colours]
        assert len(pairs) == 11
        for a, b in pairs:
            assert _contrast(colours[a], colours[b]) >= 4.5, (a, b)


def _contrast(a: str, b: str) -> float:
    """WCAG 2.2's contrast ratio."""
    x, y = sorted((_luminance(a), _luminance(b)))
    return (y + 0.05) / (x + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# what a page says


def test_contract_page_leaves_something_out() -> None:
    said = text_of(site_of(SHIPPED)[INSPECTIONS])
    for words in (
        "What housing inspection was asked, when it came, what it found, and whom it told.",
        "Names and notes stay in the body.",
        "Ask office@housing.riverton.example (inspections-office)",
        "How often every day", "How long kept 10 years", "How late at most 2 days after it happened",
        "Topic events.riverton-housing.inspections ", "events.riverton-housing.inspections-value",
        "May write Riverton Housing, nobody else",
        "May read nobody but the owner and Crosstown's own programs",
        "BACKWARD : Who has the newest version can read what was written under the one before.",
        "tenant_name text no else empty restricted who lives there (Tenant Name); requests only",
        "due_at time, UTC null or long (timestamp-micros) no else empty public when the owner",
        "record the text riverton-housing/inspection/{number}",
        "step the field outcome , translated by its table", "NO ACCESS WAITING",
        "anything else can't be accepted ( unknown-code )",
        "known_at the message's header, else when Kafka took the message",
        "What a timeline shows: the text {complaint_text} inspection: {outcome_text} .",
        "water-quality : 60 days",
        "2025-01-14 22:00 UTC riverton-housing Heat inspection: referred → xx-county-health",
        "Version 1 The first.",
    ):  # fmt: skip
        assert words in said, words


def test_agency_page_leaves_something_out() -> None:
    site = site_of(SHIPPED)
    said = text_of(site["agencies/riverton-311.html"])
    assert "requests" in said
    assert "say which records are one case, or are not (role link )" in said
    assert "have other agencies' records erased or held (role erase )" in said
    assert "data@311.riverton.example" in said
    assert "role link" not in text_of(site["agencies/riverton-tenants.html"])
    boston = text_of(site["agencies/animal-control.html"])
    assert "Others may publish for it: Boston 311 under Boston 311 service requests ." in boston
    assert "ask who runs this installation" in boston


def test_who_receives_a_contract_is_not_said_or_said_of_another(folder: Path) -> None:
    site = site_of(folder)
    said = text_of(site[INSPECTIONS])
    assert (
        "Kestrel County Health under health-sees-inspections : outcome_text, complaint_text, inspector_notes"
        in said
    )
    assert "Nobody: no agreement covers it." in text_of(
        site["contracts/riverton-police.incidents.html"]
    )
    agency = text_of(site["agencies/riverton-311.html"])
    assert "gives to Riverton Water Authority : water-hears-of-brown-water" in agency
    assert "gets from Riverton 311 : water-hears" in text_of(site["agencies/riverton-water.html"])
    page = text_of(site["agreements.html"])
    for words in (
        "inspector_notes (restricted)",
        "places as their area only",
        "steward of riverton-tenants Sam Abara",
    ):
        assert words in page, words
    broken = folder / "agreements/water-hears-of-brown-water.yaml"
    broken.write_text(broken.read_text("utf-8").replace("topic_text", "no_such_field"), "utf-8")
    site = site_of(folder)
    assert "water-hears" not in text_of(site["agreements.html"])
    assert "no field no_such_field" in text_of(site["index.html"])


def test_index_finds_a_contract_by_none_of_its_words() -> None:
    tree = ET.fromstring(site_of(SHIPPED)["index.html"])
    finds = [one.get("data-find") or "" for one in tree.iter("tr") if one.get("data-find")]
    assert len(finds) == 15
    for words in ("tenant_name", "kestrel county", "non-profit", "building-safety", "riverton 311"):
        assert [one for one in finds if words in one], words


CHANGES: Final = [
    ("field renamed", "remarks", "inspector_notes", "remarks"),
    ("type", "number", "string", "long"),
    ("default", "ward", 'default ""', "no default"),
    ("field added", "team", "", 'enum Team, default "day"'),
    ("field removed", "address_text", "string", ""),
    ("sensitivity", "ward", "public", "restricted"),
    ("mapping", "area", "the field ward", "absent"),
    ("code", "step: NO ACCESS", "WAITING", "ASSIGNED"),
    ("identity", "", "", "outcome"),
    ("mode", "", "BACKWARD", "FULL"),
    ("service level", "retention", "10 years", "2 years"),
]


def test_change_between_versions_isn_t_said(folder: Path) -> None:
    def change(schema: dict[str, object]) -> None:
        fields = schema["fields"]
        assert isinstance(fields, list)
        by_name = {one["name"]: one for one in fields}
        by_name["inspector_notes"] |= {"name": "remarks", "aliases": ["inspector_notes"]}
        by_name["number"]["type"] = "long"
        del by_name["ward"]["default"]
        fields.remove(by_name["address_text"])
        team = {"type": "enum", "name": "Team", "symbols": ["day", "night"]}
        fields.append({"name": "team", "type": team, "default": "day"})

    second(change)(folder)
    file = folder / "riverton-housing/inspections.v2.yaml"
    text = file.read_text("utf-8").replace("area: {field: ward}\n        ", "")
    text = text.replace("inspector_notes: mask", "remarks: mask")
    text = text.replace("NO ACCESS: WAITING", "NO ACCESS: ASSIGNED").replace(
        "value: 10", "value: 2"
    )
    text = text.replace("publishes_for: self", "identity: [outcome]\n      compatibility: FULL")
    text = re.sub(r"(name: ward\n.*\n.*\n +classification:) public", r"\1 restricted", text)
    file.write_text(text.replace("version: 2.0.0", "version: 2.0.0\ncontractCreatedTs: 2025-03-01"))
    contents = contents_of(folder)
    old, new = contents.contracts["riverton-housing/inspections"].readable
    found = [(one.what, one.path, one.was, one.now) for one in differences(old, new)]
    assert sorted(found) == sorted(CHANGES)
    said = text_of(pages(contents)[INSPECTIONS])
    assert "Version 2, 2025-03-01" in said
    assert "From version 1 to version 2" in said
    assert "It may not follow version 1 under FULL :" in said
    assert "/number type:" in said
    assert "sensitivity ward public restricted" in said


def test_symbols_and_inner_fields_aren_t_compared(folder: Path) -> None:
    inner = {"type": "record", "name": "In", "fields": [{"name": "a", "type": "int"}]}
    kind = {"type": "enum", "name": "Kind", "symbols": ["A", "B"], "default": "A"}
    both: list[dict[str, object]] = [{"name": "in", "type": ["null", {"type": "array", "items": inner}]},
            {"name": "kind", "type": kind}]  # fmt: skip

    def add(fields: list[dict[str, object]]) -> None:
        avsc = folder / "riverton-housing/inspections.v1.avsc"
        schema = json.loads(avsc.read_text("utf-8"))
        schema["fields"] = [f for f in schema["fields"] if f["name"] not in ("in", "kind")] + fields
        avsc.write_text(json.dumps(schema))

    agencies = contents_of(folder).agencies
    add(both)
    old = contract_of(folder / LOST, agencies)
    inner["fields"] = [{"name": "a", "type": "long"}]
    kind["symbols"] = ["A", "C"]
    add(both)
    new = contract_of(folder / LOST, agencies)
    found = {(one.what, one.path, one.was, one.now) for one in differences(old, new)}
    assert found == {("type", "in.a", "int", "long"), ("symbols", "kind", "B", "C")}


# repositories with problems


def test_one_bad_contract_hides_the_others(folder: Path, tmp_path: Path) -> None:
    (folder / LOST).write_text("no: contract")
    (folder / "examples/riverton-311/requests.v1.opened.json").write_text('{"number": 7}')
    (folder / "examples/riverton-311/requests.v1.deep.json").write_text("[" * 200_000)
    (folder / "codelists/other.yaml").write_text("a: list of another kind")
    said = call(tmp_path, "docs", str(folder), "--to", str(tmp_path / "site"))
    assert said.code == 3
    assert "not shown: riverton-housing/inspections" in said.err
    index = text_of((tmp_path / "site/index.html").read_text("utf-8"))
    assert "Not shown, as no version can be read: riverton-housing/inspections ." in index
    assert "riverton-housing/inspections.v1.yaml:1 contract:" in index
    assert "codelists/other.yaml:1 file:" in index
    assert str(folder) not in index
    page = text_of((tmp_path / "site/contracts/riverton-311.requests.html").read_text("utf-8"))
    assert "It can't be accepted:" in page


def test_broken_old_version_hides_the_contract(folder: Path) -> None:
    second(lambda _: None)(folder)
    (folder / "riverton-housing/inspections.v1.avsc").write_text("[" * 5000)
    said = text_of(site_of(folder)[INSPECTIONS])
    assert "Version 1 Its files can't be read; crosstown check says why." in said


def test_what_is_wrong_isn_t_said(folder: Path, tmp_path: Path) -> None:
    (folder / "agencies.yaml").write_text("agencies: [")
    site = tmp_path / "site"
    said = call(tmp_path, "docs", str(folder), "--to", str(site))
    assert (said.code, site.exists()) == (3, False)
    assert re.search(r"agencies\.yaml:\d+: file: .*\n  -> ", said.out)
    assert call(tmp_path, "docs", str(tmp_path / "none"), "--to", str(site)).code == 2
    assert call(tmp_path, "docs", str(folder)).code == 2


# the folder


def test_same_contracts_give_other_bytes(folder: Path, tmp_path: Path) -> None:
    (folder / LOST).write_text("no: contract")
    other = shutil.copytree(folder, tmp_path / "elsewhere" / "named otherwise")
    for source, to in ((folder, "one"), (other, "two")):
        write(tmp_path / to, site_of(source))
    one, two = ({p.relative_to(tmp_path / to): p.read_bytes() for p in (tmp_path / to).rglob("*")
                 if p.is_file()} for to in ("one", "two"))  # fmt: skip
    assert one == two


def test_folder_of_somebody_else_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for bad in (tmp_path, tmp_path / "thesis.txt"):
        said = call(tmp_path, "docs", "--to", str(bad))
        assert (said.code, "->" in said.err) == (2, True)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_stale_page_stays_or_a_file_of_mine_goes(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    call(tmp_path, "docs", str(folder), "--to", str(site)).ok()
    (site / "CNAME").write_text("mine")
    victim = tmp_path / "victim.txt"
    victim.write_text("not ours")
    with (site / MARK).open("a") as mark:
        mark.write("../victim.txt\n/etc/hostname\ncontracts/../../victim.txt\n")
    shutil.rmtree(folder / "riverton-housing")
    made = call(tmp_path, "docs", str(folder), "--to", str(site), "-o", "json").ok().json()
    jsonschema.validate(made, json.loads(GOLDEN.read_text("utf-8")))
    assert made["stale"] == 1
    assert not (site / INSPECTIONS).exists()
    assert (site / "CNAME").read_text() == "mine"
    assert victim.exists()
    there = {p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file()}
    assert there - {"CNAME", MARK} == set((site / MARK).read_text().splitlines())
    assert set((site / MARK).read_text().splitlines()) == set(site_of(folder))


def test_a_link_in_the_folder_leads_out_of_it(tmp_path: Path) -> None:
    site, outside = tmp_path / "site", tmp_path / "outside"
    outside.mkdir()
    write(site, {"index.html": "a"})
    (site / "agencies").symlink_to(outside)
    with pytest.raises(Stop, match="is a link"):
        write(site, {"index.html": "b", "agencies/x.html": "c"})
    assert not list(outside.iterdir())
