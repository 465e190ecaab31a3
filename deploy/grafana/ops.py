"""Operations: is it up, does it keep up, what is refused, does Kafka and the machine hold."""

from __future__ import annotations

from deploy.grafana.board import board
from deploy.grafana.machines import kafka, machine
from deploy.grafana.panels import Ask, lines, number, or_zero, rows

FIRING = 'ALERTS{alertstate="firing", severity="%s"}'


def ops() -> str:
    """The dashboard that whoever is on call looks at first."""
    return board(
        "crosstown-ops", "Crosstown: operations",
        "What runs, whether it keeps up, and what it refuses. Each alert's page is docs/runbooks.",
        {
            "": [*_alerts(), _firing()],
            "Is it up?": [_up(), _restarts(), _seen()],
            "Does it keep up?": [_lag(), _waited(), _still(), _held(), _accepted(), _received()],
            "State": [_restored(), _state(), _regrouped()],
            "Transactions": [_outcomes(), _took(), _failed()],
            "What is refused": [_dead(), _refused(), _left_out(), _faust(span=12), _paused()],
            "At the edges": [_gateway(), _pushed(), _webhooks(), _registry(), _waits(), _ends()],
            "Kafka": kafka(),
            "Disk, memory, cores": machine(),
        },
    )  # fmt: skip


def _alerts() -> list[object]:
    critical, warning = (f"count({FIRING % one})" for one in ("critical", "warning"))
    return [
        number("Critical", "Alerts that wake somebody: data isn't taken or isn't told now.",
               Ask(or_zero(critical)), bad=(1,)),
        number("Warnings", "Alerts for the morning.", Ask(or_zero(warning)), bad=(1, 1e9)),
        number("Programs down", "As the supervisor sees them: `crosstown status`. Where no "
               "supervisor runs, those that don't answer Prometheus.",
               Ask("count(crosstown_process_up == 0) or " + or_zero('count(up{job="crosstown"} == 0)')),
               bad=(1,)),
        number("Don't answer Prometheus", "Programs that don't tell their figures: what this page "
               "says of them is old. Runbook: not-scraped.",
               Ask(or_zero('count(up{job="crosstown"} == 0)')), bad=(1,)),
        number("Messages waiting", "Over all programs, not yet dealt with. A program's own count; "
               "one that is frozen shows its last: see Standing still.",
               Ask("sum(crosstown_lag)")),
        number("Accepted in an hour", "Versions of events that passed intake.",
               Ask(or_zero("sum(increase(crosstown_accepted_total[1h]))")), unit="short"),
    ]  # fmt: skip


def _firing() -> object:
    named = "sum by (alertname, severity, whose, agency, contract, agreement, program, process, topic, contact) ({})"
    return rows("Firing now", "Alertname is the page's name in docs/runbooks; contact is whom to "
                "ask, from the contract or agreement itself.",
                Ask(or_zero(named.format('ALERTS{alertstate="firing"}'), "alertname", "none"), "firing"))  # fmt: skip


def _up() -> object:
    return lines("Programs that run", "1: runs and is ready, 0: down. As the supervisor sees it; "
                 "where none runs, as Prometheus does. `crosstown status`",
                 Ask('min by (process) (crosstown_process_up) or on () label_replace(min by (instance)'
                     ' (up{job="crosstown"}), "process", "$1", "instance", "(.*)")', "{{process}}"), most=1)  # fmt: skip


def _restarts() -> object:
    return lines("Started again", "How often in half an hour. Three and more: runbook "
                 "restarting-again, and the program's log in HOME/logs.",
                 Ask(or_zero("max by (process) (changes(crosstown_process_restarts[30m]))", "process"),
                     "{{process}}"), bad=(3,))  # fmt: skip


def _seen() -> object:
    return lines("How old the lookout's figures are", "Silence, frozen partitions, copies and disk "
                 "are told by the lookout. Over 300 s they can't be trusted: runbook lookout-blind.",
                 Ask("time() - max by (at) (crosstown_looked_timestamp_seconds)", "{{at}}"),
                 unit="s", bad=(300,))  # fmt: skip


def _lag() -> object:
    return lines("Messages waiting, by program", "A program counts itself: one that is frozen shows "
                 "its last figure. Growing for a quarter of an hour: runbook lag-grows.",
                 Ask("sum by (program) (crosstown_lag)", "{{program}}"))  # fmt: skip


def _waited() -> object:
    return lines("How long messages have waited", "The age of the oldest that a program hasn't dealt with, as "
                 "the broker sees it; also one that is frozen. A load from long ago is old by nature.",
                 Ask(or_zero("max by (program) (crosstown_lag_seconds)", "program"), "{{program}}"), unit="s")  # fmt: skip


def _still() -> object:
    return lines("Standing still", "For how long nothing was committed while messages wait, as the "
                 "broker sees it. Over 120 s: runbook partition-frozen.",
                 Ask(or_zero("max by (program) (crosstown_standing_still_seconds)", "program"), "{{program}}"),
                 unit="s", bad=(120,))  # fmt: skip


def _held() -> object:
    return lines("Held back by an open transaction", "For how long all readers have waited for what "
                 "lies behind it. Over 60 s: runbook transaction-hangs.",
                 Ask(or_zero("topk(5, max by (topic) (crosstown_held_back_seconds))", "topic"), "{{topic}}"),
                 unit="s", bad=(60,))  # fmt: skip


def _accepted() -> object:
    return lines("Accepted, by contract", "Versions of events that passed intake, in a second.",
                 Ask(or_zero("sum by (contract) (rate(crosstown_accepted_total[$__rate_interval]))",
                             "contract"), "{{contract}}"), unit="cps")  # fmt: skip


def _received() -> object:
    return lines("Read, by program", "Messages in a second. After a start a program may read much "
                 "again to restore its state; nothing is told twice.",
                 Ask(or_zero("sum by (program) (rate(crosstown_received_total[$__rate_interval]))",
                             "program"), "{{program}}"), unit="cps")  # fmt: skip


def _restored() -> object:
    return lines("State restored", "Of a shard since it was last assigned, 1: all. Below 1 it works "
                 "on nothing new yet.",
                 Ask("min by (program) (crosstown_restored)", "{{program}}"), unit="percentunit", most=1)  # fmt: skip


def _state() -> object:
    return lines("Size of the local store of cases", "Grows with what was accepted, not with time. "
                 "docs/bench.md has what a record takes.",
                 Ask(or_zero("crosstown_state_bytes", "partition"), "shard {{partition}}"), unit="bytes")  # fmt: skip


def _regrouped() -> object:
    return lines("Cases merged and split", "In an hour, of those that were told already. Many at once: somebody "
                 "asserts links, or a source has changed its references.",
                 Ask(or_zero("sum by (change) (increase(crosstown_cases_regrouped_total[1h]))", "change"),
                     "{{change}}"))  # fmt: skip


def _outcomes() -> object:
    return lines("Committed", "Transactions in a second. None while nothing comes is well.",
                 Ask(or_zero('sum by (program) (rate(crosstown_transactions_total{outcome="committed"}'
                             '[$__rate_interval]))', "program"), "{{program}}"), unit="cps")  # fmt: skip


def _took() -> object:
    return lines("How long a transaction takes", "From a batch's first message to its commit, the mean. Nothing "
                 "comes: 0. Kafka ends it by force after 10 s.",
                 Ask(or_zero("sum by (program) (rate(crosstown_transaction_seconds_sum[$__rate_interval]))"
                             " / (sum by (program) (rate(crosstown_transaction_seconds_count[$__rate_interval])) > 0)",
                             "program"), "{{program}}"), unit="s", bad=(10,))  # fmt: skip


def _failed() -> object:
    return lines("Not committed", "In a quarter of an hour: aborted, unknown, fenced. Each was tried "
                 "again; nothing is lost. Over 5: runbook transactions-fail.",
                 Ask(or_zero('sum by (program, outcome) (increase(crosstown_transactions_total'
                             '{outcome!="committed"}[15m]))', "program"), "{{program}} {{outcome}}"),
                 bad=(5,))  # fmt: skip


def _dead() -> object:
    return lines("Dead letters, by reason", "In an hour. The increase of a counter that is new isn't "
                 "seen; all there ever were: `crosstown dead-letters`",
                 Ask(or_zero("sum by (program, reason) (increase(crosstown_dead_letters_total[1h]))",
                             "reason"), "{{program}} {{reason}}"))  # fmt: skip


def _refused() -> object:
    return lines("Refused, by agency", "Messages on an agency's topic that became dead letters, in "
                 "half an hour. Over 20: runbook dead-letters-rise, and whom it names.",
                 Ask(or_zero("sum by (agency, contract) (increase(crosstown_refused_total[30m]))",
                             "agency"), "{{agency}} {{contract}}"), bad=(20,))  # fmt: skip


def _left_out() -> object:
    return lines("What feeds leave out", "In an hour: runbook feed-refused.",
                 Ask(or_zero("sum by (reason) (increase(crosstown_feed_refused_total[1h]))", "reason"),
                     "{{reason}}"), bad=(1,))  # fmt: skip


def _faust(span: int) -> object:
    return lines("What watchers failed on", "Messages that a Faust handler failed on after its "
                 "retries, in an hour; each lies in dead-letters.",
                 Ask(or_zero("sum by (program) (increase(crosstown_handler_failures_total[1h]))", "program"),
                     "{{program}}"), bad=(1,), span=span)  # fmt: skip


def _gateway() -> object:
    return lines("Gateway, by answer", "Requests in a second. 5xx are faults of ours: runbook "
                 "gateway-fails; 4xx the caller's.",
                 Ask(or_zero("sum by (status) (rate(crosstown_gateway_requests_total[$__rate_interval]))",
                             "status"), "{{status}}"), unit="reqps")  # fmt: skip


def _pushed() -> object:
    return lines("Pushed events, by answer", "202: in Kafka, 403 and 422: refused, 503: to be sent again.",
                 Ask(or_zero("sum by (agency, status) (rate(crosstown_gateway_events_total[$__rate_interval]))",
                             "status"), "{{agency}} {{status}}"), unit="cps")  # fmt: skip


def _webhooks() -> object:
    return lines("Webhooks that take nothing", "For how long. Over an hour: runbook webhook-fails; "
                 "`crosstown webhook list`",
                 Ask(or_zero("max by (agreement) (crosstown_webhook_failing_seconds)", "agreement"),
                     "{{agreement}}"), unit="s", bad=(3600,))  # fmt: skip


def _registry() -> object:
    return lines("Schema registry, by answer", "Requests in a second; 404 is an everyday answer: not "
                 "registered yet.",
                 Ask(or_zero("sum by (status) (rate(crosstown_registry_requests_total[$__rate_interval]))",
                             "status"), "{{status}}"), unit="reqps")  # fmt: skip


def _waits() -> object:
    return lines("Waits for its database", "1: waits. Runbook casebook-waits.",
                 Ask(or_zero("max by (program) (crosstown_waiting)", "program"), "{{program}}"),
                 most=1, bad=(1,))  # fmt: skip


def _ends() -> object:
    return lines("Days until certificates and old keys end", "Below 21 days for a certificate: runbook "
                 'certificate-ends; 4 hours for an old key: old-key-ends. 0 and "none": there is none.',
                 Ask("(min by (certificate) (crosstown_certificate_ends_timestamp_seconds) - time()) / 86400"
                     " or " + or_zero("(min by (agency) (crosstown_old_key_ends_timestamp_seconds) - time()) / 86400",
                                      "certificate"), "{{certificate}}{{agency}}"))  # fmt: skip


def _paused() -> object:
    return lines("Paused agencies", "1: intake takes nothing from it; what it publishes waits in its topic. Who, when, "
                 "why: `crosstown status`. On: `crosstown resume AGENCY --because REASON`",
                 Ask(or_zero("max by (agency) (crosstown_paused)", "agency"), "{{agency}}"), most=1, span=12)  # fmt: skip
