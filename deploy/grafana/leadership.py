"""Leadership: one page that can be trusted, that names what is stuck, and says what it can't say."""

from __future__ import annotations

from deploy.grafana.agency import PROMISE
from deploy.grafana.board import board
from deploy.grafana.panels import Ask, leads_to, lines, number, or_never, or_zero, rows, said

CANT = """
**What these figures can't say.** What was never published; records that share neither a place nor a reference stay
apart. Open cases have no end yet, so the slowest are missing from the times. That sharing made a case faster or
slower: a case of more agencies usually has more to do. Who is to blame: an agency that tells more shows more that is
late. Each figure is defined, with an example, in docs/measures.md, and its (i) names the command that lists the cases
behind it.
"""
SAID_AGO = "(time() - max by (agency, contract) (crosstown_last_published_timestamp_seconds))"
MEASURES = (
    "cases|open|closed|late|lost|ping-pong|reopened|resolved|closed-unresolved|not-said|enriched"
)
AGENCY = leads_to("This agency", "/d/crosstown-agency?var-agency=${__data.fields.agency}")


def leadership() -> str:
    """The dashboard for whoever answers for the whole."""
    return board(
        "crosstown-leadership", "Crosstown: how the city fares",
        "Whether residents' matters end, what is stuck and with whom, and who keeps what was agreed.",
        {
            "": [said("Read this first", CANT), *_now()],
            "What is stuck, and with whom": [_overdue(), _unclaimed()],
            "How matters end": [_outcomes(), _times()],
            "Who keeps what was agreed": [_on_time(), _agreements(), _late(), _agreed()],
            "Who gives, who gets": [_balance()],
        },
        since="now-30d",
    )  # fmt: skip


def _now() -> list[object]:
    cases = 'crosstown_outcome_cases{measure="cases"%s}'
    fresh = f"count({SAID_AGO} <= on (contract) group_left () {PROMISE})"
    asked = f"count({SAID_AGO} and on (contract) {PROMISE})"
    return [
        number("Cross-agency cases", "Cases with records of two or more agencies: "
               "`crosstown cases --agencies 2`. It says nothing of those that nobody joined.",
               Ask(or_zero("max(" + cases % ', agencies="two or more"' + ")"))),
        number("... of all", "The share of cases with two or more agencies. Most cases need only one.",
               Ask(or_zero("max(" + cases % ', agencies="two or more"' + ") / (sum(max by (agencies) ("
                           + cases % "" + ")) > 0)")), unit="percentunit"),
        number("Open records overdue", "Whose deadline has passed: `crosstown cases --measure late`. An "
               "agency that sets no deadlines is never late.",
               Ask(or_zero("sum(crosstown_overdue)")), bad=(1, 1e9)),
        number("Not picked up", "Hand-offs without a word since. `crosstown cases --measure lost` lists those of two "
               "weeks and more. Somebody may be at work on it who doesn't say so here.",
               Ask(or_zero("sum(crosstown_unclaimed)")), bad=(1, 1e9)),
        number("Contracts kept now", "Of those that promise how often they publish, the share that has. Not "
               "whether what was published is right.",
               Ask(or_zero(f"({or_zero(fresh)}) / ({asked} > 0)")), unit="percentunit"),
        number("Agreements in force", "`crosstown agreements`. It doesn't say that the feed is read.",
               Ask(or_zero("sum(max by (agreement) (crosstown_feed_holds))"))),
    ]  # fmt: skip


def _overdue() -> object:
    return rows("Overdue, by agency", "Open records whose deadline has passed, now; the cases: "
                "`crosstown cases --measure late`. Its whole page behind the name.",
                Ask(or_zero("sort_desc(sum by (agency) (crosstown_overdue))", "agency"), "records"),
                span=12, link=("agency", AGENCY))  # fmt: skip


def _unclaimed() -> object:
    return rows("Handed to, and not picked up", "By the agency that it was handed to, now; the cases: "
                "`crosstown cases --measure handed-off`, the reminders: `crosstown tail alerts.pickup`",
                Ask(or_zero("sort_desc(sum by (agency) (crosstown_unclaimed))", "agency"), "hand-offs"),
                span=12, link=("agency", AGENCY))  # fmt: skip


def _outcomes() -> object:
    def of(agencies: str) -> str:
        found = f'crosstown_outcome_cases{{agencies="{agencies}", measure=~"{MEASURES}"}}'
        return or_zero(f"max by (measure) ({found})", "measure")

    return rows("Cases by outcome", "Of one agency beside those of two and more; all: `crosstown stats`. The "
                "cases behind a line: `crosstown cases --measure lost`, or another of these names.",
                Ask(of("one"), "one agency"), Ask(of("two or more"), "two or more"), span=12, height=10)  # fmt: skip


def _times() -> object:
    def of(agencies: str) -> str:
        found = f'max by (time, share) (crosstown_outcome_seconds{{agencies="{agencies}"}})'
        for share, words in (("0.5", "half"), ("0.9", "nine in ten")):
            found = f'label_replace({found}, "share", "{words} within", "share", "{share}")'
        return or_never(found, "time")

    return rows("How long it takes", "Without open cases, of which the slowest aren't among these. Compare "
                "records, not cases, before you say that sharing slows.",
                Ask(of("one"), "one agency", "s"), Ask(of("two or more"), "two or more", "s"),
                span=12, height=10)  # fmt: skip


def _on_time() -> object:
    return rows("How long ago each published, of what it promised", "Over 100% is silence. There may have "
                "been nothing to say; whom to ask stands beside it.",
                Ask(or_zero(f"sort_desc({SAID_AGO} / on (contract) group_left () {PROMISE}"
                            " * on (contract) group_left (contact)"
                            " max by (contract, contact) (crosstown_contract_info))", "contract"),
                    "of the promise", "percentunit"), span=12, link=("agency", AGENCY))  # fmt: skip


def _agreements() -> object:
    of = "* on (agreement) group_left (receiver, contact) max by (agreement, receiver, contact) (crosstown_agreement_info)"
    return rows("Agreements", "State: in force, waits (for somebody's acceptance), not begun, expired, revoked "
                "or declined; why: `crosstown agreements`. Days left 0: not known.",
                Ask(or_zero(f"(max by (agreement, state) (crosstown_feed_state) == 1) {of}", "agreement"), "is so"),
                Ask(or_zero("((max by (agreement) (crosstown_feed_ends_timestamp_seconds) > 0) - time())"
                            f" / 86400 {of}", "agreement"), "days left", "none"),
                Ask(or_zero(f"max by (agreement) (crosstown_feed_number) {of}", "agreement"), "messages ever", "none"),
                span=12)  # fmt: skip


def _late() -> object:
    return lines("Came later than promised, by agency", "Of what was accepted in a day. A backfill is late "
                 "by nature; ask before you compare.",
                 Ask(or_zero("sum by (agency) (increase(crosstown_accepted_late_total[1d]))"
                             " / (sum by (agency) (increase(crosstown_accepted_total[1d])) > 0)", "agency"),
                     "{{agency}}"), unit="percentunit", most=1, span=12)  # fmt: skip


def _agreed() -> object:
    return lines("Told under agreements", "Messages in a day. It doesn't say that anybody acted on them.",
                 Ask(or_zero("sum by (agreement) (increase(crosstown_feed_messages_total[1d]))", "agreement"),
                     "{{agreement}}"), span=12)  # fmt: skip


def _balance() -> object:
    def of(metric: str, way: str) -> str:
        found = f'sum by (agency) (crosstown_reciprocity_{metric}{{way="{way}"}})'
        return or_zero(
            f"{found} and on (agency) (sum by (agency) (crosstown_reciprocity_events) > 0)",
            "agency",
        )

    return rows("Given and got under agreements", "Only agencies with an agreement in force: `crosstown "
                "reciprocity`. It measures what flows, not what it's worth; a small agency may give what counts most.",
                Ask(of("events", "gives"), "events given"), Ask(of("events", "gets"), "events got"),
                Ask(of("untold", "gives"), "not told yet"),
                Ask(of("enriched_cases", "gives"), "cases enriched for others"),
                Ask(of("enriched_cases", "gets"), "cases enriched for it"),
                link=("agency", AGENCY))  # fmt: skip
