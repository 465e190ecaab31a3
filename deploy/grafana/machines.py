"""What Crosstown runs on: Kafka as its own process tells of itself, and the machine."""

from __future__ import annotations

from deploy.grafana.panels import Ask, lines, or_zero


def kafka() -> list[object]:
    """Copies, times, threads, traffic, what failed, memory: from the broker's JMX exporter."""
    return [_copies(), _kafka_seconds(), _idle(), _bytes(), _failed_requests(), _heap()]


def machine() -> list[object]:
    """The disk, and what each program takes."""
    return [_disk(), _memory(), _cpu(), _files(span=24)]


def _copies() -> object:
    return lines("Partitions in trouble", "Runbooks partitions-short-of-copies; "
                 "runbook partitions-without-leader; runbook partitions-below-minimum.",
                 Ask("max(crosstown_partitions_short_of_copies)", "short of copies"),
                 Ask("max(crosstown_partitions_without_leader)", "without a leader"),
                 Ask(or_zero("sum(kafka_partitions_below_minimum)"), "too few copies to publish"), bad=(1,))  # fmt: skip


def _kafka_seconds() -> object:
    return lines("How long Kafka takes", "99 of 100 took less. A read waits for news up to half a second, so "
                 "that about 0.5 s is well.",
                 Ask(or_zero("max by (instance) (kafka_write_seconds_99th)", "instance"), "write {{instance}}"),
                 Ask(or_zero("max by (instance) (kafka_read_seconds_99th)", "instance"), "read {{instance}}"),
                 unit="s")  # fmt: skip


def _idle() -> object:
    return lines("What Kafka's threads have left", 'Below 0.2: runbook kafka-busy. 0 and "none": the broker '
                 "doesn't tell.",
                 Ask(or_zero("min by (instance) (kafka_request_handlers_idle_ratio)", "instance"), "requests {{instance}}"),
                 Ask(or_zero("min by (instance) (kafka_network_threads_idle_ratio)", "instance"), "network {{instance}}"),
                 unit="percentunit")  # fmt: skip


def _bytes() -> object:
    return lines("Kafka, in and out", "Bytes of clients in a second.",
                 Ask(or_zero("sum(rate(kafka_in_bytes_total[$__rate_interval]))"), "in"),
                 Ask(or_zero("sum(rate(kafka_out_bytes_total[$__rate_interval]))"), "out"), unit="Bps")  # fmt: skip


def _failed_requests() -> object:
    return lines("What Kafka couldn't carry out", "Requests in half an hour. Who was refused by the access "
                 "rules: `crosstown refusals`",
                 Ask(or_zero("sum(increase(kafka_failed_writes_total[30m]))"), "writes"),
                 Ask(or_zero("sum(increase(kafka_failed_reads_total[30m]))"), "reads"))  # fmt: skip


def _heap() -> object:
    return lines("Kafka's heap", "Of what it may have. Full after each collection: runbook kafka-heap-full.",
                 Ask(or_zero('max by (instance) (jvm_memory_used_bytes{area="heap"} / (jvm_memory_max_bytes{area="heap"} > 0))',
                             "instance"), "{{instance}}"), unit="percentunit", most=1)  # fmt: skip


def _disk() -> object:
    return lines("Disk that is free", "Of the disk under the home. Below a tenth: runbook disk-nearly-full.",
                 Ask("max by (instance) (crosstown_disk_free_bytes / (crosstown_disk_size_bytes > 0))",
                     "seen by {{instance}}"), unit="percentunit", most=1)  # fmt: skip


def _memory() -> object:
    return lines("Memory, by program", "Resident. One that rises for hours without more records: "
                 "docs/bench.md has what was measured.",
                 Ask('process_resident_memory_bytes{job="crosstown"}', "{{instance}}"), unit="bytes")  # fmt: skip


def _cpu() -> object:
    return lines("Cores, by program", "1: one core whole. A shard can't use more than one.",
                 Ask('rate(process_cpu_seconds_total{job="crosstown"}[$__rate_interval])', "{{instance}}"))  # fmt: skip


def _files(span: int) -> object:
    return lines("Open files, by program", "Of the limit that the system sets.",
                 Ask('process_open_fds{job="crosstown"} / process_max_fds{job="crosstown"}', "{{instance}}"),
                 unit="percentunit", span=span)  # fmt: skip
