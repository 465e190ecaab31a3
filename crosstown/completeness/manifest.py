"""A manifest beside an export: what the source says is in it, `{"rows": 120}` at least.

    {"rows": 120, "day": "2026-03-02", "contract": "riverton-housing/inspections",
     "records": ["HI-1001", "riverton-housing/inspection/HI-1002"]}

`rows` is the source's own count (its `count(*)`), never ours. `day` (UTC) is what the export is about,
else the day of the call; `contract`, and for one in `any/` also `agency`, are only needed where no row
says it; `records` are the records that must be in it, in full or by number, so that what is missing has a name.
"""

from __future__ import annotations

import datetime as dt
from codecs import BOM_UTF8
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crosstown.contracts.agencies import Id
from crosstown.errors import Refused, Stop
from crosstown.event.strict_json import parse

SUFFIX: Final = ".manifest.json"
"""What is beside `export.csv` under `export.csv.manifest.json` is found by itself."""
MAX_BYTES: Final = 64_000_000
_MEND: Final = 'a manifest says at least {"rows": 120}; see docs/completeness.md'
Text = Annotated[str, Field(min_length=1, max_length=128)]


class Manifest(BaseModel):
    """What the source says of one export."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(ge=0, strict=True)
    day: dt.date | None = None
    contract: str = Field(default="", pattern=r"^([a-z0-9-]+/[a-z0-9-]+)?$")
    agency: Id | None = None
    records: frozenset[Text] | None = None


def beside(file: Path) -> Path | None:
    """The manifest that lies beside an export; None where there is none."""
    found = file.with_name(file.name + SUFFIX)
    return found if found.is_file() else None


def read(file: Path) -> Manifest:
    """A manifest; `Stop` where it can't be read or says something else."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise Stop(f"{file} is over {MAX_BYTES:,} bytes", mend=_MEND)
        return Manifest.model_validate(parse(file.read_bytes().removeprefix(BOM_UTF8)))
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror}", mend=_MEND) from None
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise Stop(f"{file} is no manifest: {at}: {first['msg']}", mend=_MEND) from None
    except Refused as error:
        raise Stop(f"{file} is no manifest: {error}", mend=_MEND) from None
