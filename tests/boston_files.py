"""Boston's exports: the real ones where they lie beside the checkout, else some made alike."""

from __future__ import annotations

import csv
import datetime as dt
import os
import random
from pathlib import Path

BESIDE = Path(__file__).parents[2] / "shared" / "data" / "boston-311"
COLUMNS = [
    "CASE_ENQUIRY_ID", "OPEN_DT", "TARGET_DT", "CLOSED_DT", "OnTime_Status", "CASE_STATUS",
    "CLOSURE_REASON", "CASE_TITLE", "SUBJECT", "REASON", "TYPE", "QUEUE", "Department",
    "SubmittedPhoto", "ClosedPhoto", "Location", "fire_district", "pwd_district",
    "city_council_district", "police_district", "neighborhood", "neighborhood_services_district",
    "ward", "precinct", "land_usage", "LOCATION_STREET_NAME", "LOCATION_ZIPCODE", "Property_Type",
    "Property_ID", "LATITUDE", "LONGITUDE", "Source", "Geocoded_Location",
]  # fmt: skip
SUBJECTS = ("Public Works Department", "Inspectional Services", "Animal Control", "Youthline",
            "Mayor's 24 Hour Hotline", "Department of Tides & Moons")  # fmt: skip
FORMAT = "%m/%d/%Y %I:%M:%S %p"


def boston_files(otherwise: Path) -> list[Path]:
    """The real exports, one a publisher; made ones in the folder `otherwise` where there are none."""
    folder = Path(os.environ.get("CROSSTOWN_BOSTON", BESIDE))
    return sorted(folder.glob("*.csv")) or made(otherwise, seed=1, year=2015, rows=6_000)


def are_real(files: list[Path]) -> bool:
    """Whether these are the exports whose figures are known."""
    return files[0].parent == BESIDE


def made(folder: Path, seed: int, year: int, rows: int) -> list[Path]:
    """Exports of that form for any year: one file a department."""
    dice = random.Random(seed)
    start = dt.datetime(year, 1, 1, 6)  # noqa: DTZ001 - the source's times are local
    by_subject: dict[str, list[dict[str, str]]] = {subject: [] for subject in SUBJECTS}
    for number in range(rows):
        opened = start + dt.timedelta(seconds=dice.randrange(365 * 86_400))
        closed = opened + dt.timedelta(seconds=dice.randrange(-60, 40 * 86_400))
        row = dict.fromkeys(COLUMNS, "")
        row |= {
            "CASE_ENQUIRY_ID": str(101_000_000_000 + seed * 1_000_000 + number),
            "OPEN_DT": opened.strftime(FORMAT),
            "TARGET_DT": (opened + dt.timedelta(days=3)).strftime(FORMAT),
            "CLOSED_DT": closed.strftime(FORMAT) if dice.random() < 0.8 else "",
            "CASE_STATUS": "Closed", "SUBJECT": dice.choice(SUBJECTS), "TYPE": "Pick up Dead Animal",
            "CLOSURE_REASON": 'Case Closed. call 617-555-0100, "Ann"', "REASON": "Street Cleaning",
            "Property_ID": f"{dice.randrange(rows // 2)}.0" if dice.random() < 0.85 else "",
            "Source": "Constituent Call", "neighborhood": "Roxbury",
        }  # fmt: skip
        by_subject[row["SUBJECT"]].append(row)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (_, several) in enumerate(sorted(by_subject.items())):
        files.append(folder / f"{number}.csv")
        with files[-1].open("w", newline="", encoding="utf-8") as target:
            writer = csv.DictWriter(target, COLUMNS)
            writer.writeheader()
            writer.writerows(several)
    return files
