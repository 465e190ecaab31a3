"""What the brokers say of partitions' offsets: first, last, of a moment, committed only or all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec


def offsets_of(
    admin: AdminClient, partitions: Iterable[tuple[str, int]], spec: OffsetSpec, timeout: float,
    **more: Any,
) -> dict[tuple[str, int], Any]:  # fmt: skip
    """By topic and partition, its offset and time stamp; one without an answer is left out.

    `more` are arguments of `AdminClient.list_offsets`, as `isolation_level`.
    """
    asked = {TopicPartition(*tp): spec for tp in partitions}
    if not asked:
        return {}
    found = {}
    for tp, answer in admin.list_offsets(asked, request_timeout=timeout, **more).items():
        try:
            about = answer.result()
        except KafkaException:  # it has just been deleted, or has no leader
            continue
        if about.offset != OFFSET_INVALID:  # its leader doesn't answer, which is no error
            found[tp.topic, tp.partition] = about
    return found
