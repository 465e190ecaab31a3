"""The sample city's exports, all in one call: a file is known by its columns, not by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Final

from connectors.county_health import CountyHealth
from connectors.csv_records import Records
from connectors.kestrel_county import CountyCsv
from connectors.riverton_311 import Riverton311
from connectors.riverton_buildings import RivertonBuildings
from connectors.riverton_housing import RivertonHousing
from connectors.riverton_police import RivertonPolice
from connectors.riverton_tenants import RivertonTenants
from connectors.riverton_water import RivertonWater
from connectors.small_town_311 import SmallTown311
from connectors.text_file import check_text
from crosstown.contracts.naming import Naming
from crosstown.errors import Refused
from crosstown.source import Reject, Said

SYSTEMS: Final[tuple[type[CountyCsv], ...]] = (
    Riverton311, RivertonHousing, RivertonBuildings, RivertonPolice, RivertonWater, CountyHealth,
    RivertonTenants, SmallTown311,
)  # fmt: skip


class Riverton:
    """Any export of the sample county's offices."""

    name: ClassVar[str] = "riverton"

    def __init__(self, naming: Naming) -> None:
        self._systems = [system(naming) for system in SYSTEMS]

    def survey(self, files: Iterable[Path]) -> None:
        """A row needs no other row to be understood."""

    def read(self, file: Path) -> Iterator[Said | Reject]:
        """The file's events in order; raises `Refused` where no office exports such a file."""
        return self._system(file).read(file)

    def _system(self, file: Path) -> CountyCsv:
        """The office with most of its columns in the file's header; it says which are missing."""
        check_text(file)
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            _, cells = next(iter(Records(stream, ",")), (1, []))
        header = {cell.strip() for cell in cells} if isinstance(cells, list) else set[str]()
        best = max(self._systems, key=lambda one: _share(one, header))
        if _share(best, header) < 0.5:
            offices = ", ".join(one.name for one in self._systems)
            raise Refused("wrong-header", "these are no office's columns",
                          mend=f"give an export of one of {offices}")  # fmt: skip
        return best


def _share(system: CountyCsv, header: set[str]) -> float:
    return len(header.intersection(system.columns)) / len(system.columns)
