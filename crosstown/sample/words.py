"""The code lists of the sample agencies, with the texts that their exports print beside them."""

from __future__ import annotations

from typing import Final

NAMES: Final = {
    "riverton-housing": "Housing Inspection",
    "riverton-buildings": "Buildings and Permits",
    "riverton-police": "Police",
    "riverton-water": "Water Authority",
    "xx-county-health": "County Health",
    "riverton-tenants": "Tenants' Union",
    "riverton-311": "311",
}
SHORT_NAMES: Final = {
    "": "", "riverton-housing": "HSG", "riverton-buildings": "BLD", "riverton-police": "PD",
    "riverton-water": "WTR", "xx-county-health": "CHD", "riverton-tenants": "RTU",
    "riverton-311": "311",
}  # fmt: skip

TOPICS_311: Final = {
    "HEAT": "No heat", "MOLD": "Mold", "LEAK": "Leak indoors", "PESTS": "Rats or insects",
    "BRNWTR": "Discolored water", "NOWTR": "No water", "NOISE": "Noise", "POTHL": "Pothole",
    "LIGHT": "Street light out", "SIGN": "Damaged sign", "TRASH": "Missed trash pickup",
    "UNSAFE": "Unsafe building",
}  # fmt: skip
STATUS_311: Final = {
    "NEW": "reported", "ASGN": "assigned", "WORK": "work started", "XFER": "handed over",
    "PEND": "waiting for the owner", "DONE": "closed", "OPEN2": "reopened", "MEMO": "note added",
}  # fmt: skip
SOURCES_311: Final = ("PHONE", "PHONE", "PHONE", "WEB", "WEB", "APP", "APP", "WALKIN")

COMPLAINTS_HOUSING: Final = {
    "H": "Heat", "M": "Mold", "L": "Leak", "P": "Pests", "W": "Water supply", "S": "Structure",
}  # fmt: skip
WORK_BUILDINGS: Final = {
    "BOILER": "Boiler", "PLUMB": "Plumbing", "ELEC": "Electrical", "STRUCT": "Structural",
    "DEMO": "Demolition", "VACANT": "Vacant building", "SIDEWK": "Sidewalk",
}  # fmt: skip
CALLS_POLICE: Final = {
    "NOISE": "Noise", "TRESP": "Trespass", "WELCK": "Welfare check", "PARK": "Parking",
    "DISPUTE": "Tenancy dispute",
}  # fmt: skip
PROBLEMS_WATER: Final = {
    "LEAD": "Lead service line", "DISCOL": "Discolored water", "NOSUP": "No water",
    "SHUT": "Shut-off for arrears", "MAIN": "Main break",
}  # fmt: skip
STEPS_WATER: Final = {
    "OPN": "order opened", "DSP": "crew sent", "SHO": "supply shut off", "RST": "supply restored",
    "SMP": "sample taken", "LAB": "lab result in", "REF": "referred", "CLS": "order closed",
}  # fmt: skip
PROGRAMS_HEALTH: Final = {
    "LEAD": "Lead", "MOLD": "Mold and air", "VERMIN": "Vermin", "COLD": "Cold home",
    "FOOD": "Food safety",
}  # fmt: skip
EVENTS_HEALTH: Final = {
    "REFERRAL": "referral received", "SCHEDULED": "visit scheduled", "VISIT": "home visited",
    "SAMPLE": "sample taken", "LAB": "lab result in", "ORDER": "order to the owner",
    "REFERRED": "referred", "MEMO": "note added", "CLOSED": "closed",
}  # fmt: skip

VOLUNTEERS: Final = ("Dana P.", "Omar K.", "Ruth B.", "Wei L.", "Ines G.")
PEOPLE: Final = (
    "Maria Lopez", "James Carter", "Aisha Rahman", "Linh Tran", "Peter Novak", "Grace Okafor",
    "Tom Becker", "Yusuf Demir", "Ana Silva", "Ellen Moore", "Samuel Reed", "Nora Flynn",
)  # fmt: skip
REMARKS: Final = (
    "says it has been like this since Sunday", "two small children in the home",
    "landlord doesn't answer the phone", "please call before coming", "third time this winter",
    "neighbor on the second floor has the same", "no one home at first try", "has photos",
    "elderly resident, needs help at the door", "will be at work until 5",
)  # fmt: skip
