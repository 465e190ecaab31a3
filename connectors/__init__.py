"""Sources by name: those that ship with Crosstown, installed packages' and a city's own.

A package offers one by an entry point in the group `crosstown.connectors`; a city's own folder
(setting `CROSSTOWN_CONNECTORS`) has a file a source. Either is a class with a `name` and the two
functions of `crosstown.source.Source`, made with a `Naming`.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

from crosstown.contracts.naming import Naming
from crosstown.errors import NotFound, Stop
from crosstown.source import Source

GROUP: Final = "crosstown.connectors"
_OURS: Final = {
    "boston-311": "connectors.boston_311:Boston311",
    "events": "connectors.events:Events",
    "riverton": "connectors.riverton:Riverton",
}


def names(folder: Path | None = None) -> list[str]:
    """The names of all sources that can be found."""
    return sorted({*_OURS, *(e.name for e in entry_points(group=GROUP)), *_classes(folder)})


def of_agency(agency: str, folder: Path | None = None) -> list[str]:
    """The names of a city's own sources that say that they are of this agency."""
    own = _classes(folder).items()
    return sorted(name for name, one in own if getattr(one, "agency", "") == agency)


def source(name: str, naming: Naming, folder: Path | None = None) -> Source:
    """The source of this name; a city's own comes before a package's, and that before ours.

    Raises `NotFound` with what there is.
    """
    own = _classes(folder)
    if name in own:
        return own[name](naming)
    for entry in entry_points(group=GROUP, name=name):
        made: Source = entry.load()(naming)
        return made
    if name not in _OURS:
        raise NotFound(f"no source is called {name}", candidates=tuple(names(folder)),
                       mend="crosstown publish SOURCE FILE..."
                       + ("" if folder else "; one of your own is found where CROSSTOWN_SCHEMAS names"
                          " the folder of your contracts"))  # fmt: skip
    module, _, title = _OURS[name].partition(":")
    ours: Source = getattr(import_module(module), title)(naming)
    return ours


def _classes(folder: Path | None) -> dict[str, Callable[[Naming], Source]]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise Stop(f"{folder} is no folder", mend="CROSSTOWN_CONNECTORS names a folder of sources")
    found: dict[str, Callable[[Naming], Source]] = {}
    for file in sorted(folder.glob("*.py")):
        if not file.name.startswith("_"):
            found.update(_of_module(_loaded(file), file))
    return found


def _loaded(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"crosstown_own_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise Stop(f"{file} can't be loaded", mend="it must be a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Stop(f"{file} can't be loaded: {type(error).__name__}: {error}",
                   mend="mend it, or take it out of the folder") from error  # fmt: skip
    return module


def _of_module(module: Any, file: Path) -> dict[str, Callable[[Naming], Source]]:
    found: dict[str, Callable[[Naming], Source]] = {}
    for _, one in inspect.getmembers(module, inspect.isclass):
        name = getattr(one, "name", None)
        if one.__module__ == module.__name__ and isinstance(name, str):
            found[name] = cast("Callable[[Naming], Source]", one)
    if not found:
        raise Stop(f"{file} has no source", mend="a source is a class with a name and read()")
    return found
