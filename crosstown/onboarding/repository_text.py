"""The two files of a contract repository that has none yet: who takes part, and which concerns."""

from __future__ import annotations

from dataclasses import dataclass

from crosstown.contracts.questions import asked
from crosstown.onboarding.quoted import yaml_text

CONCERNS = """\
# Which kinds of record may be related by place, and over how many days between their events, e.g.
#   - {id: housing-condition, window_days: 30}
# A concern that isn't listed has the default window. The contracts that everyone may use (events by
# the line, notes, hand carries) come with Crosstown and need no file here.
default_window_days: 30
concerns: []
"""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The first agency of a repository; empty is what its people haven't said."""

    agency: str
    called: str
    jurisdiction: str
    timezone: str
    kind: str

    @property
    def territory(self) -> str:
        """The id of its jurisdiction, as said, or as a proposal."""
        return self.jurisdiction or f"xx-{self.agency.partition('-')[0]}"


def agencies_text(one: Newcomer) -> str:
    """`agencies.yaml`, with a question for each thing that wasn't said."""
    lines = ["# Whose territory a case is, and who publishes or receives. Ids stay for ever; names may change.",
             "jurisdictions:"]  # fmt: skip
    if not one.jurisdiction:
        lines.append(asked(
            "Whose territory are these cases? Its id stays for ever.",
            "country, state, town: us-il-smallville; also below at the agency, and under jurisdiction in"
            f" {one.agency}/*.yaml", 2))  # fmt: skip
    lines += [
        f"  - id: {one.territory}",
        f"    name: {yaml_text(one.territory.rpartition('-')[2].capitalize())}",
    ]
    if not one.timezone:
        lines.append(asked("By which time zone's clock does the system write its times?",
                           "e.g. America/New_York, America/Chicago, Europe/Berlin", 4))  # fmt: skip
    lines += [f"    timezone: {one.timezone or 'UTC'}", "agencies:",
              f"  - id: {one.agency}", f"    name: {yaml_text(one.called)}",
              f"    jurisdiction: {one.territory}"]  # fmt: skip
    if not one.kind:
        lines.append(asked(f"What is {one.agency}?",
                           "department, authority, county, state, non-profit or volunteers", 4))  # fmt: skip
    lines.append(f"    kind: {one.kind or 'department'}")
    return "\n".join(lines) + "\n"
