"""Every metric by name, with a sentence each; every process serves those that it moves.

No label is chosen by data: docs/metrics.md lists them all, and a test holds it to this file.

Counters count since the process started; `program` says which one. Sizes are counts of things,
times are seconds. The process's own memory and CPU come with prometheus-client.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram


class Once(Gauge):
    """A gauge without labels: told from when it is first set, so that only who moves it tells it.

    prometheus-client's own would be told as 0 by every process that reads this file.
    """

    def __init__(self, name: str, documentation: str) -> None:
        super().__init__(name, documentation, registry=None)
        self._told = False

    def set(self, value: float) -> None:
        """Set it."""
        super().set(value)
        self._tell()

    def set_function(self, f: Callable[[], float]) -> None:
        """Ask `f` for it at each scrape."""
        super().set_function(f)
        self._tell()

    def _tell(self) -> None:
        if not self._told:
            REGISTRY.register(self)
            self._told = True


received: Final = Counter(
    "crosstown_received", "Messages that a program has read from a topic.", ["program", "topic"]
)
accepted: Final = Counter(
    "crosstown_accepted", "Versions of events that passed intake.", ["agency", "contract"]
)
dead_letters: Final = Counter(
    "crosstown_dead_letters", "Messages that became dead letters.", ["program", "reason"]
)
screened: Final = Counter(
    "crosstown_screened",
    "Bodies in which intake found what their contract has screened, by what it is.",
    ["kind", "contract"],
)
transactions: Final = Counter(
    "crosstown_transactions",
    "Transactions by outcome: committed, aborted, unknown, or fenced off by another process.",
    ["program", "outcome"],
)
transaction_seconds: Final = Histogram(
    "crosstown_transaction_seconds",
    "From the first message of a batch to its commit; feeds: from its first attempt.",
    ["program"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
lag: Final = Gauge(
    "crosstown_lag",
    "Data messages that lie in a partition and haven't been dealt with yet.",
    ["program", "topic", "partition"],
)
restored: Final = Gauge(
    "crosstown_restored",
    "How much of a shard's state has been restored since its last assignment, from 0 to 1.",
    ["program", "partition"],
)
timelines: Final = Counter(
    "crosstown_timelines", "Messages that the case program wrote to timelines.", ["kind"]
)
records: Final = Gauge(
    "crosstown_records", "Records that a shard of the case program holds.", ["partition"]
)
cases: Final = Once("crosstown_cases", "Cases that the casebook holds.")
runaway: Final = Once(
    "crosstown_runaway_cases",
    "Cases that grew past the size where something other than an issue joins them.",
)
casebook_applied: Final = Counter(
    "crosstown_casebook_applied",
    "Messages of accepted, timelines and dead-letters that the casebook has taken in.",
)
waiting: Final = Gauge(
    "crosstown_waiting",
    "1 while a program waits for what it can't work without: the casebook for its database.",
    ["program"],
)
registry_requests: Final = Counter(
    "crosstown_registry_requests", "Requests to the schema registry.", ["method", "status"]
)
gateway_requests: Final = Counter(
    "crosstown_gateway_requests", "Requests to the gateway.", ["route", "status"]
)
gateway_events: Final = Counter(
    "crosstown_gateway_events",
    "Events pushed to the gateway by status: 202 in Kafka, 403 and 422 refused, 503 to be sent again.",
    ["agency", "status"],
)
webhook_calls: Final = Counter(
    "crosstown_webhook_calls",
    "Calls of receivers' webhooks by what they came to: taken, refuses, again, gone, not called.",
    ["agreement", "outcome"],
)
webhook_number: Final = Gauge(
    "crosstown_webhook_number",
    "The last number that a webhook's receiver has taken.",
    ["agreement"],
)
webhook_failing: Final = Gauge(
    "crosstown_webhook_failing_seconds",
    "For how long a webhook's receiver has taken nothing of what was sent, 0 while it works.",
    ["agreement"],
)
gateway_messages: Final = Counter(
    "crosstown_gateway_messages",
    "Messages of feeds that were noted and then handed out, by agreement and way.",
    ["agreement", "way"],
)
gateway_streams: Final = Gauge(
    "crosstown_gateway_streams", "Streams of a feed that are open at the gateway.", ["agreement"]
)
schemas: Final = Once("crosstown_registry_schemas", "Schemas that the registry holds.")
alerts: Final = Counter("crosstown_alerts", "Alerts that were sent.", ["rule"])
alerts_counted: Final = Gauge(
    "crosstown_alerts_counted",
    "Records that became late before the watcher's first start and still are: counted, not sent.",
    ["rule"],
)
overdue: Final = Gauge(
    "crosstown_overdue", "Open records whose deadline has passed, now.", ["agency"]
)
unclaimed: Final = Gauge(
    "crosstown_unclaimed", "Hand-offs that their receiver hasn't picked up, now.", ["agency"]
)
handler_failures: Final = Counter(
    "crosstown_handler_failures",
    "Messages that a Faust handler failed on, after its retries.",
    ["program"],
)
feed_messages: Final = Counter(
    "crosstown_feed_messages",
    "Messages written to a feed: SAID what a thing is now, GONE that it's no longer shared.",
    ["agreement", "change"],
)
feed_number: Final = Gauge(
    "crosstown_feed_number", "The number of a feed's last message.", ["agreement"]
)
feed_said: Final = Gauge(
    "crosstown_feed_last_message_timestamp_seconds",
    "When a feed last said something, seconds since 1970.",
    ["agreement"],
)
feed_age: Final = Gauge(
    "crosstown_feed_age_seconds",
    "How long ago what a feed told last had been accepted, when it was told.",
    ["agreement"],
)
feed_holds: Final = Gauge(
    "crosstown_feed_holds", "1 while an agreement is in force.", ["agreement"]
)
feed_ends: Final = Gauge(
    "crosstown_feed_ends_timestamp_seconds",
    "When an agreement ends by its terms, seconds since 1970; 0 where that isn't known.",
    ["agreement"],
)
feed_fresh: Final = Gauge(
    "crosstown_feed_fresh_seconds",
    "How late, at most, an agreement wants its feed to be; 0 where it says nothing.",
    ["agreement"],
)
feed_quiet: Final = Gauge(
    "crosstown_feed_quiet_after_seconds",
    "After how long without a message somebody is to be told, by the agreement.",
    ["agreement"],
)
feed_refused: Final = Counter(
    "crosstown_feed_refused",
    "What feeds couldn't deal with: a message of accepted, an agreement that can't be carried out.",
    ["reason"],
)
reciprocity_events: Final = Gauge(
    "crosstown_reciprocity_events",
    "Events that an agency gives or gets under agreements in force, told.",
    ["agency", "way"],
)
reciprocity_records: Final = Gauge(
    "crosstown_reciprocity_records", "Records of these events.", ["agency", "way"]
)
reciprocity_untold: Final = Gauge(
    "crosstown_reciprocity_untold",
    "Events that agreements in force cover and whose receiver hasn't been told.",
    ["agency", "way"],
)
reciprocity_after: Final = Gauge(
    "crosstown_reciprocity_after_seconds",
    "Median: given, from happening to being said; got, from being said to being told.",
    ["agency", "way"],
)
reciprocity_enriched: Final = Gauge(
    "crosstown_reciprocity_enriched_cases",
    "Cases that an agency enriched for others (gives), or others for it (gets).",
    ["agency", "way"],
)
reciprocity_requests: Final = Gauge(
    "crosstown_reciprocity_requests",
    "Requests that an agency asked for, or was asked, by what became of them.",
    ["agency", "way", "answer"],
)
process_up: Final = Gauge(
    "crosstown_process_up", "1 while a supervised process runs and is ready, else 0.", ["process"]
)
process_restarts: Final = Gauge(
    "crosstown_process_restarts", "How often a process was started again.", ["process"]
)
accepted_late: Final = Counter(
    "crosstown_accepted_late",
    "Events that were published later after they happened than their contract promises (latency).",
    ["agency", "contract"],
)
refused: Final = Counter(
    "crosstown_refused",
    "Messages on an agency's topic that became dead letters at intake.",
    ["agency", "contract"],
)
contract_info: Final = Gauge(
    "crosstown_contract_info",
    "Always 1: who owns a contract, and where to ask about it.",
    ["contract", "owner", "contact"],
)
agency_info: Final = Gauge(
    "crosstown_agency_info",
    "Always 1: where to ask about what an agency publishes under everyone's contracts.",
    ["agency", "contact"],
)
promised: Final = Gauge(
    "crosstown_promised_seconds",
    "What a contract promises: how often something is published (frequency), how late (latency).",
    ["contract", "promise"],
)
published: Final = Gauge(
    "crosstown_last_published_timestamp_seconds",
    "When an agency last published under a contract, seconds since 1970; 0: so long ago that it's gone.",
    ["agency", "contract"],
)
agreement_info: Final = Gauge(
    "crosstown_agreement_info",
    "Always 1: who receives under an agreement, and who answers for it.",
    ["agreement", "receiver", "contact"],
)
held_back: Final = Gauge(
    "crosstown_held_back_seconds",
    "For how long an open transaction has kept all readers from what lies behind it, 0: none does.",
    ["topic"],
)
standing_still: Final = Gauge(
    "crosstown_standing_still_seconds",
    "For how long a program has committed nothing while messages wait for it.",
    ["program", "topic", "partition"],
)
short_of_copies: Final = Once(
    "crosstown_partitions_short_of_copies", "Partitions of which a copy is missing or behind."
)
leaderless: Final = Once(
    "crosstown_partitions_without_leader", "Partitions that nobody can read or write."
)
disk_free: Final = Once(
    "crosstown_disk_free_bytes", "Room that is left on the disk that the home lies on."
)
disk_size: Final = Once("crosstown_disk_size_bytes", "The size of the disk that the home lies on.")
certificate_ends: Final = Gauge(
    "crosstown_certificate_ends_timestamp_seconds",
    "When a certificate ends, seconds since 1970; 0: it can't be read.",
    ["certificate"],
)
key_ends: Final = Gauge(
    "crosstown_old_key_ends_timestamp_seconds",
    "When the key ends that an agency was to replace, seconds since 1970.",
    ["agency"],
)
looked: Final = Gauge(
    "crosstown_looked_timestamp_seconds",
    "When the lookout last saw something with its own eyes, seconds since 1970.",
    ["at"],
)
lag_seconds: Final = Gauge(
    "crosstown_lag_seconds",
    "How old the oldest message is that a program hasn't dealt with, 0: none waits.",
    ["program", "topic", "partition"],
)
published_after: Final = Counter(
    "crosstown_published_after_seconds",
    "Seconds from happening to being published, in all: over crosstown_accepted_total it's the mean.",
    ["agency", "contract"],
)
regrouped: Final = Counter(
    "crosstown_cases_regrouped",
    "Cases that were merged into another, or split off from one, since they were told.",
    ["change"],
)
state_events: Final = Gauge(
    "crosstown_state_events",
    "Events that a shard of the case program has in memory.",
    ["partition"],
)
state_bytes: Final = Gauge(
    "crosstown_state_bytes", "The size of the local store of a shard of the case program.",
    ["partition"],
)  # fmt: skip
feed_state: Final = Gauge(
    "crosstown_feed_state",
    "1 for where an agreement stands: waits, not begun, in force, expired, revoked, declined; else 0.",
    ["agreement", "state"],
)
paused: Final = Gauge(
    "crosstown_paused",
    "1 while intake takes nothing from an agency, since it is paused.",
    ["agency"],
)
outcome_cases: Final = Gauge(
    "crosstown_outcome_cases",
    "Cases that a measure (docs/measures.md) holds for; of one agency, of two or more.",
    ["measure", "agencies"],
)
outcome_seconds: Final = Gauge(
    "crosstown_outcome_seconds",
    "How long matters take (docs/measures.md): within it a share of 0.5 or 0.9 of them ended.",
    ["time", "share", "agencies"],
)
UNDECLARED: Final = "undeclared"


def named(agency: str, declared: Container[str]) -> str:
    """The label of an agency that data names: itself where it is declared, else `undeclared`.

    Whoever may publish for others could make as many series as they like.
    """
    return agency if agency in declared else UNDECLARED
