"""One agency: what it publishes against what it promised, what it gets, what waits for it."""

from __future__ import annotations

from deploy.grafana.board import board, choice
from deploy.grafana.panels import Ask, lines, number, or_never, or_zero, rows

AGENCIES = (
    "count by (agency) (crosstown_last_published_timestamp_seconds or"
    ' label_replace(crosstown_agreement_info, "agency", "$1", "receiver", "(.*)"))'
)
"""All that have ever published or are to receive something."""
AGE = (
    "(time() - (max by (agency, contract)"
    ' (crosstown_last_published_timestamp_seconds{agency="$agency"}) > 0))'
)
PROMISE = (
    "(sum by (contract) (max by (contract, promise)"
    ' (crosstown_promised_seconds{promise=~"frequency|latency"}))'
    ' and on (contract) crosstown_promised_seconds{promise="frequency"})'
)
"""Frequency and latency together: after so long an agency counts as silent (alert PublisherSilent)."""
MINE = (
    'on (agreement) group_left () max by (agreement) (crosstown_agreement_info{receiver="$agency"})'
)


def agency() -> str:
    """The dashboard that is given to an agency; the agency is chosen above it."""
    return board(
        "crosstown-agency", "Crosstown: one agency",
        "What one agency publishes and gets. Choose it above; it may be sent as a link.",
        {
            "": [_silent(), _refused_now(), _late_now(), _overdue(), _unclaimed(), _feeds_now()],
            "What it publishes": [_contracts(), _accepted(), _refused(), _late(), _pushed(), _after(), _screened()],
            "What it gets": [_feeds(), _told(), _age(), _webhooks(), _handed_out()],
            "What it gives and gets": [_reciprocity(), _requests(), _key(), _paused()],
        },
        since="now-24h", variables=[choice("agency", "Agency", AGENCIES, "agency")],
    )  # fmt: skip


def _silent() -> object:
    return number("Last published", "Under any contract: the topic, not what was accepted. It can't say "
                  "whether there was anything to publish.",
                  Ask(or_never(f"min({AGE})")), unit="s")  # fmt: skip


def _refused_now() -> object:
    return number("Refused in a day", "Messages that became dead letters: `crosstown dead-letters`. The "
                  "first after a start of intake isn't counted here.",
                  Ask(or_zero('sum(increase(crosstown_refused_total{agency="$agency"}[1d]))')), bad=(1, 100))  # fmt: skip


def _late_now() -> object:
    return number("Came late, in a day", "Of what was accepted, the share published later after it happened "
                  "than its contract promises. A backfill is late by nature.",
                  Ask(or_zero('sum(increase(crosstown_accepted_late_total{agency="$agency"}[1d]))'
                              ' / (sum(increase(crosstown_accepted_total{agency="$agency"}[1d])) > 0)')),
                  unit="percentunit", bad=(0.1, 0.5))  # fmt: skip


def _overdue() -> object:
    return number("Its records overdue", "Open records whose deadline has passed: "
                  "`crosstown cases --measure late`. Without a deadline nothing is overdue.",
                  Ask(or_zero('sum(crosstown_overdue{agency="$agency"})')), bad=(1, 1e9))  # fmt: skip


def _unclaimed() -> object:
    return number("Not picked up", "Hand-offs to it; nothing it said in the case since: "
                  "`crosstown tail alerts.pickup`. It may work on it without a word.",
                  Ask(or_zero('sum(crosstown_unclaimed{agency="$agency"})')), bad=(1, 1e9))  # fmt: skip


def _feeds_now() -> object:
    return number("Feeds it gets", "Agreements in force of which it is the receiver: `crosstown agreements`",
                  Ask(or_zero(f"sum(max by (agreement) (crosstown_feed_holds) * {MINE})")))  # fmt: skip


def _contracts() -> object:
    def in_a_day(metric: str) -> str:
        return or_zero(
            f'sum by (contract) (increase({metric}{{agency="$agency"}}[1d]))', "contract"
        )

    return rows("Contracts", "A share over 100% of what was promised (frequency and latency together) is "
                "silence: runbook publisher-silent. A contract that promises nothing has no share.",
                Ask(or_never(f"max by (contract) ({AGE})", "contract"), "last published", "s"),
                Ask(or_zero(f"max by (contract) ({AGE}) / on (contract) {PROMISE}", "contract"), "of the promise", "percentunit"),
                Ask(in_a_day("crosstown_accepted_total"), "accepted in a day", "short"),
                Ask(in_a_day("crosstown_refused_total"), "refused in a day", "short"),
                height=6)  # fmt: skip


def _accepted() -> object:
    return lines("Accepted, by contract", "Versions of events in a second.",
                 Ask(or_zero('sum by (contract) (rate(crosstown_accepted_total{agency="$agency"}'
                             '[$__rate_interval]))', "contract"), "{{contract}}"), unit="cps")  # fmt: skip


def _refused() -> object:
    return lines("Refused, by contract", "Dead letters in half an hour, why: `crosstown dead-letters`",
                 Ask(or_zero('sum by (contract) (increase(crosstown_refused_total{agency="$agency"}[30m]))',
                             "contract"), "{{contract}}"), bad=(20,))  # fmt: skip


def _late() -> object:
    return lines("Came late, by contract", "Of what was accepted in six hours. Runbook publishes-late.",
                 Ask(or_zero('sum by (contract) (increase(crosstown_accepted_late_total{agency="$agency"}[6h]))'
                             ' / (sum by (contract) (increase(crosstown_accepted_total{agency="$agency"}[6h])) > 0)',
                             "contract"), "{{contract}}"), unit="percentunit", most=1, bad=(0.5,))  # fmt: skip


def _pushed() -> object:
    return lines("Pushed over HTTP, by answer", "Events in a second. 202: in Kafka, 403 and 422: refused, "
                 "503: to be sent again.",
                 Ask(or_zero('sum by (status) (rate(crosstown_gateway_events_total{agency="$agency"}'
                             '[$__rate_interval]))', "status"), "{{status}}"), unit="cps")  # fmt: skip


def _after() -> object:
    return lines("From happening to being published", "The mean of what was accepted in an hour, by contract. A "
                 "load of old records makes it long.",
                 Ask(or_zero('sum by (contract) (increase(crosstown_published_after_seconds_total{agency="$agency"}[1h]))'
                             ' / (sum by (contract) (increase(crosstown_accepted_total{agency="$agency"}[1h])) > 0)',
                             "contract"), "{{contract}}"), unit="s")  # fmt: skip


def _screened() -> object:
    return lines("Screening hits, by kind", "Bodies in a day in which intake found what the contract says "
                 "isn't there, under this agency's own contracts; those that several share (any/...) name no agency.",
                 Ask(or_zero('sum by (kind, contract) (increase(crosstown_screened_total{contract=~"$agency/.*"}[1d]))',
                             "kind"), "{{kind}} {{contract}}"))  # fmt: skip


def _feeds() -> object:
    def mine(metric: str) -> str:
        return or_zero(f"max by (agreement) ({metric}) * {MINE}", "agreement")

    ends = "((crosstown_feed_ends_timestamp_seconds > 0) - time())"
    return rows("Feeds", "Promised 0: the agreement says nothing of it. Ends in 0: not known. Runbooks "
                "feed-late, feed-quiet, agreement-ends.",
                Ask(mine("crosstown_feed_holds"), "in force"),
                Ask(mine("crosstown_feed_number"), "last number", "none"),
                Ask(mine("time() - crosstown_feed_last_message_timestamp_seconds"), "last said, ago", "s"),
                Ask(mine("crosstown_feed_age_seconds"), "how old it was then", "s"),
                Ask(mine("crosstown_feed_fresh_seconds"), "promised", "s"),
                Ask(mine(ends), "ends in", "s"), height=6)  # fmt: skip


def _told() -> object:
    return lines("Told, by agreement", "Messages in an hour: SAID what a thing is now, GONE that it's no "
                 "longer shared.",
                 Ask(or_zero(f"sum by (agreement, change) (increase(crosstown_feed_messages_total[1h])) * {MINE}",
                             "agreement"), "{{agreement}} {{change}}"), span=6)  # fmt: skip


def _age() -> object:
    return lines("How old the news was", "When it was told, since intake accepted it. Before that nobody "
                 "knows of it: how late the source was stands above. Runbook feed-late.",
                 Ask(or_zero(f"max by (agreement) (crosstown_feed_age_seconds) * {MINE}", "agreement"),
                     "{{agreement}}"), unit="s", span=6)  # fmt: skip


def _webhooks() -> object:
    return lines("Its webhook takes nothing", "For how long; 0 also where there is none. "
                 "`crosstown webhook list`",
                 Ask(or_zero(f"max by (agreement) (crosstown_webhook_failing_seconds) * {MINE}", "agreement"),
                     "{{agreement}}"), unit="s", bad=(3600,), span=6)  # fmt: skip


def _handed_out() -> object:
    return lines("Handed out by the gateway", "Messages in an hour, by way. What is read from Kafka itself "
                 "isn't seen here.",
                 Ask(or_zero(f"sum by (agreement, way) (increase(crosstown_gateway_messages_total[1h])) * {MINE}",
                             "agreement"), "{{agreement}} {{way}}"), span=6)  # fmt: skip


def _reciprocity() -> object:
    def by_way(metric: str) -> str:
        return or_zero(f'max by (way) ({metric}{{agency="$agency"}})', "way", "gives")

    return rows("Gives and gets", "By agreements in force: `crosstown reciprocity AGENCY`. Each figure: "
                "docs/measures.md. More isn't better by itself.",
                Ask(by_way("crosstown_reciprocity_events"), "events"),
                Ask(by_way("crosstown_reciprocity_records"), "records"),
                Ask(by_way("crosstown_reciprocity_untold"), "not told"),
                Ask(by_way("crosstown_reciprocity_enriched_cases"), "cases enriched"),
                Ask(or_never('max by (way) (crosstown_reciprocity_after_seconds{agency="$agency"})', "way", "gives"),
                    "median after", "s"),
                span=10, height=6)  # fmt: skip


def _requests() -> object:
    return rows("Requests", "That it asked for or was asked, and what became of them: `crosstown agreements`",
                Ask(or_zero('max by (way, answer) (crosstown_reciprocity_requests{agency="$agency"})',
                            "answer"), "requests"), span=6, height=6)  # fmt: skip


def _key() -> object:
    return number("Old key ends in", "Never: no key is being replaced. If it still pushes with the old one, it is "
                  "refused then. Runbook old-key-ends.",
                  Ask(or_never('min(crosstown_old_key_ends_timestamp_seconds{agency="$agency"}) - time()')),
                  unit="s", span=4)  # fmt: skip


def _paused() -> object:
    return number("Paused", "1: intake takes nothing from it; what it publishes waits in its topic. Who, when, why: "
                  "`crosstown status`. On: `crosstown resume AGENCY --because REASON`",
                  Ask(or_zero('max(crosstown_paused{agency="$agency"})')), bad=(1,), span=4)  # fmt: skip
