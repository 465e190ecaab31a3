"""Words in which systems name their columns and steps; lower case, cut to stems where that helps.

English first, German and Spanish where they are common: a list to be added to, not a dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

STEPS: Final[tuple[tuple[str, str], ...]] = (
    ("reopen", "REOPENED"), ("re-open", "REOPENED"),
    ("cancel", "CLOSED"), ("closed", "CLOSED"), ("close", "CLOSED"), ("done", "CLOSED"),
    ("finish", "CLOSED"), ("finaled", "CLOSED"), ("complete", "CLOSED"), ("erledigt", "CLOSED"),
    ("abgeschlossen", "CLOSED"), ("cerrad", "CLOSED"), ("cleared", "CLOSED"), ("end", "CLOSED"),
    ("resolved", "RESOLVED"), ("repaired", "RESOLVED"), ("fixed", "RESOLVED"), ("behoben", "RESOLVED"),
    ("referred", "HANDED_OFF"), ("forward", "HANDED_OFF"), ("transfer", "HANDED_OFF"),
    ("handed", "HANDED_OFF"), ("weitergeleitet", "HANDED_OFF"),
    ("hold", "WAITING"), ("wait", "WAITING"), ("pending", "WAITING"), ("wartet", "WAITING"),
    ("assign", "ASSIGNED"), ("schedul", "ASSIGNED"), ("dispatch", "ASSIGNED"),
    ("zugewiesen", "ASSIGNED"), ("planned", "ASSIGNED"), ("geplant", "ASSIGNED"),
    ("inspect", "IN_PROGRESS"), ("visit", "IN_PROGRESS"), ("started", "IN_PROGRESS"),
    ("start", "IN_PROGRESS"), ("begun", "IN_PROGRESS"), ("progress", "IN_PROGRESS"),
    ("begonnen", "IN_PROGRESS"), ("onsite", "IN_PROGRESS"), ("arrived", "IN_PROGRESS"),
    ("report", "REPORTED"), ("open", "REPORTED"), ("receiv", "REPORTED"), ("rcvd", "REPORTED"),
    ("asked", "REPORTED"), ("request", "REPORTED"), ("creat", "REPORTED"), ("submit", "REPORTED"),
    ("filed", "REPORTED"), ("entered", "REPORTED"), ("logged", "REPORTED"), ("called", "REPORTED"),
    ("gemeldet", "REPORTED"), ("eingang", "REPORTED"), ("angelegt", "REPORTED"),
    ("recibid", "REPORTED"), ("new", "REPORTED"), ("note", "NOTE"), ("comment", "NOTE"),
)  # fmt: skip
"""What a word in a step's name means for the record; the first that is found counts."""
DUE: Final = ("due", "target", "deadline", "promised", "frist", "fallig", "comply", "expire", "sla")
SAID: Final = ("extract", "export", "printed", "as_of", "asof", "dump")
CHANGED: Final = ("modif", "updated", "changed", "geandert", "last_edit", "actualiz")
BIRTH: Final = ("birth", "dob", "geburt", "nacimiento")
CONFIDENTIAL: Final = (
    *BIRTH, "ssn", "social_sec", "gender", "sex", "race", "ethnic", "religion", "diagnos", "medical",
    "health", "disab", "immigra", "citizenship", "income", "salary", "passport", "licen", "iban",
    "account", "card", "juvenile", "victim",
)  # fmt: skip
PERSON: Final = (
    "owner", "tenant", "caller", "inspector", "officer", "applicant", "complainant", "contact",
    "citizen", "resident", "employee", "worker", "reported_by", "assigned_to", "taken_by",
    "entered_by", "created_by", "closed_by", "person", "patient", "nurse", "volunteer", "requester",
    "requestor", "reporter", "party", "crew_lead", "melder", "mieter", "eigentumer", "bearbeiter",
    "nombre", "name",
)  # fmt: skip
NO_PERSON: Final = (
    "street", "park", "site", "program", "district", "school", "facility", "city", "town", "file",
    "building", "department", "dept", "agency", "area", "ward", "type", "species", "kind", "road",
)  # fmt: skip
"""What has a name without being a person."""
PHONE: Final = ("phone", "tel", "mobile", "cell", "fax", "telefon")
EMAIL: Final = ("email", "e_mail", "mail")
FREE: Final = (
    "note", "remark", "comment", "descr", "narrative", "detail", "bemerkung", "beschreibung",
    "observ", "memo", "freitext", "closure_reason", "message",
)  # fmt: skip
ADDRESS: Final = (
    "address", "addr", "adresse", "location", "street", "strasse", "standort", "premise", "site",
    "direccion", "loc", "where",
)  # fmt: skip
SPOT: Final = ("latitude", "longitude", "lat", "lon", "lng", "geocod", "coord", "koordinat")
PART: Final = (
    "district",
    "ward",
    "neighborhood",
    "neighbourhood",
    "area",
    "bezirk",
    "stadtteil",
    "borough",
)
"""Of a city."""
SUBJECT: Final = (
    "type", "typ", "kind", "prob", "problem", "category", "cat", "cd", "code", "reason", "subject",
    "complaint", "topic", "issue", "art", "tipo", "motivo",
)  # fmt: skip
"""Of a column of codes: what it's about, rather than where or whose it is."""
HOUSE: Final = (
    "house",
    "hausnr",
    "hausnummer",
    "st_no",
    "street_no",
    "street_num",
    "addr_no",
    "bldg_no",
)
TOWN: Final = ("city", "town", "zip", "postal", "plz", "state", "ort")
NUMBER: Final = (
    "no",
    "nr",
    "number",
    "num",
    "id",
    "key",
    "nummer",
    "ref",
    "numero",
    "ticket",
    "case",
)
LINE: Final = ("line", "seq", "sequence", "step_no", "lfd", "pos", "item", "row")
EVENT: Final = (
    "event",
    "step",
    "what",
    "action",
    "activity",
    "status",
    "state",
    "vorgang",
    "stage",
)
STATE: Final = ("status", "state", "ontime", "on_time", "overdue", "stand", "age", "days_open")
"""What is so now: it changes without anything that happened being another."""


def field_name(header: str, at: int) -> str:
    """A column's name as a field's: ASCII, snake_case.

    >>> field_name("Straße / Haus-Nr.", 0), field_name("311 No", 1), field_name("№", 6)
    ('strasse_haus_nr', 'n_311_no', 'no')
    >>> field_name("", 2), field_name("Дата", 3), field_name("OpenDate", 4)
    ('column_3', 'column_4', 'open_date')
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", header.replace("ß", "ss"))
    plain = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:60].strip("_")
    if not name:
        return f"column_{at + 1}"
    return f"n_{name}" if name[0].isdigit() else name


def has(field: str, words: tuple[str, ...]) -> bool:
    """Whether a field's name has one of the words: short ones whole, longer ones at a beginning."""
    parts = field.split("_")
    return any(
        word in parts if len(word) < 4 else
        any(part.startswith(word) for part in parts) or ("_" in word and word in field)
        for word in words
    )  # fmt: skip


def step_of(text: str) -> str:
    """The envelope's step that a word means; empty: none that is known here."""
    words = re.split(r"[^a-z0-9-]+", field_name(text, 0).replace("re_", "re-"))
    return next((s for stem, s in STEPS for word in words if _means(word, stem)), "")


def _means(word: str, stem: str) -> bool:
    return any(
        part == stem or (len(stem) > 3 and part.startswith(stem))
        for part in (word, *word.split("_"))
    )


def event_of(header: str, at: int) -> str:
    """A step's name from its column's: `Date Closed`, `CLOSED_DT` and `Closed On` are `closed`."""
    parts = field_name(header, at).split("_")
    kept = [p for p in parts if p not in ("date", "dt", "time", "datum", "am", "on", "at", "ts", "tm",
                                          "fecha", "timestamp", "datetime")]  # fmt: skip
    return "-".join(kept if any(map(str.isalpha, "".join(kept))) else parts)
