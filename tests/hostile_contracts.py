"""The shipped contracts with markup, scripts and control characters wherever text may stand."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from crosstown.contracts.yaml_file import read_plain

BAD: Final = (
    "<script>alert(1)</script>\"' onload='x' &lt;b&gt; {{ 7*7 }} \u202e\x07</td></table>-->"
)
_TEXTS: Final = frozenset((
    "name", "names", "description", "purpose", "usage", "limitations", "channel", "tool", "domain",
    "classification", "contractCreatedTs", "status", "unit", "doc", "title", "otherwise",
))  # fmt: skip
"""Keys whose text can be anything; ids, Avro names and what the mapping asks for stay."""
_URL: Final = "javascript:alert(1)//"


def hostile(folder: Path) -> Path:
    """A contract repository in `folder`, each free text of which begins with `BAD`."""
    shutil.copytree(Path(str(files("schemas"))), folder, ignore=shutil.ignore_patterns("__*"))
    for file in sorted(folder.rglob("*.yaml")):
        if file.parent.name == "codelists":
            _write(file, _codes(read_plain(file)))
        else:
            _write(file, _spoiled(read_plain(file), ()))
    for file in [*sorted(folder.rglob("*.avsc")), *sorted(folder.rglob("*.json"))]:
        said = json.loads(file.read_text("utf-8"))
        if file.suffix == ".avsc":
            said["$ref"] = "file:///etc/passwd"  # a document's parser would go and read it
            said = _spoiled(said, ("schema",))
        else:
            said = {k: f"{v} {BAD}" if "text" in k else v for k, v in said.items()}
        file.write_text(json.dumps(said), "utf-8")
    return folder


def _write(file: Path, value: Any) -> None:
    file.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), "utf-8")


def _codes(value: dict[str, Any]) -> dict[str, Any]:
    spoiled = {
        concern: [f"{BAD} {code}" for code in codes] for concern, codes in value["concerns"].items()
    }
    return {**value, "concerns": spoiled | {BAD: [BAD]}}


def _spoiled(value: Any, path: tuple[str, ...]) -> Any:
    match value:
        case dict():
            return {k: _spoiled(v, (*path, k)) for k, v in value.items()} | _more(path)
        case list():
            return [_spoiled(one, path) for one in value]
        case str() if path and path[-1] == "url":
            return _URL + value
        case str() if _free(path):
            return f"{BAD} {value}"
        case _:
            return value


def _more(path: tuple[str, ...]) -> dict[str, str]:
    """What nobody wrote, and could have."""
    return {BAD: BAD} if path and path[-1] == "crosswalk" and "concern" in path else {}


def _free(path: tuple[str, ...]) -> bool:
    if "envelope" in path:
        return path[-1] in ("otherwise", "template") and "headline" in path
    if "screening" in path:  # fields' names
        return False
    if path[-1] == "name":  # of a field, a schema, an Avro type it's an identifier
        return path[0] in ("name", "team", "agencies", "jurisdictions")
    return path[-1] in _TEXTS
