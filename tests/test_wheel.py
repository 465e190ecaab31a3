"""The wheel, installed in a clean place: an editable install hides a package that it lacks."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = ("streams.intake", "streams.cases", "streams.casebook", "streams.watch",
            "streams.feeds", "streams.reciprocity", "streams.gateway", "streams.webhooks",
            "streams.lookout", "crosstown.registry.server", "crosstown.cli", "crosstown.cli.demo", "crosstown.client",
            "connectors", "connectors.boston_311", "connectors.riverton", "connectors.events")  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
                   cwd=ROOT, check=True, capture_output=True)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "installed")
    return folder / "installed"


def run(installed: Path, code: str) -> str:
    """Run code that sees the wheel's files before any others, from a folder without ours."""
    start = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    done = subprocess.run([sys.executable, "-P", "-c", start + code], cwd=installed.parent,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_missing_from_the_wheel(installed: Path, name: str) -> None:
    found = run(installed, f"import importlib; print(importlib.import_module({name!r}).__file__)")
    assert Path(found).is_relative_to(installed), found


def test_contracts_or_formats_are_missing_from_the_wheel(installed: Path) -> None:
    found = run(installed, (
        "from crosstown.contracts.repository import Repository; from crosstown.embedded.jars import LOCK\n"
        "repository = Repository.load()\n"
        "print(repository.path, len(repository.contracts), LOCK, LOCK.exists())"
    )).split()  # fmt: skip
    assert Path(found[0]).is_relative_to(installed)
    assert int(found[1]) >= 8
    assert Path(found[2]).is_relative_to(installed)
    assert found[3] == "True"


def test_catalogue_s_templates_are_missing_from_the_wheel(installed: Path) -> None:
    found = run(installed, (
        "from crosstown.catalogue.contents import read; from crosstown.catalogue import pages\n"
        "from crosstown.contracts.repository import shipped\n"
        "made = pages.pages(read(shipped()))\n"
        "print(pages.__file__, 'catalogue.css' in made, 'index.html' in made)"
    )).split()  # fmt: skip
    assert Path(found[0]).is_relative_to(installed)
    assert found[1:] == ["True", "True"]


def test_the_wheel_could_be_published_by_accident(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info/METADATA")
    assert "Private :: Do Not Upload" in metadata.read_text("utf-8")
