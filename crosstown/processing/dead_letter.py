"""A message that can't be accepted, kept whole with the reason."""

from __future__ import annotations

from typing import Any, Final

from confluent_kafka import Message

from crosstown.backbone.kafka import stamp_of
from crosstown.errors import Refused
from crosstown.processing.transact import Output
from crosstown.registry.own_values import OwnValues
from crosstown.screen.screening import clean

TOPIC: Final = "dead-letters"


def dead_letter(
    message: Message, refused: Refused, values: OwnValues, *, closed: bool = False
) -> Output:
    """The dead letter of a message, in the form of `values`.

    Its key is where the message lay, `topic/partition/offset`: one dead letter can be erased. The
    value keeps key, value and headers as bytes; `closed`: none of them, they stay where the message lay.
    The detail quotes values, so what is found in it is masked.
    """
    detail = f"{refused.detail} -> {refused.mend}" if refused.mend else refused.detail
    fields: dict[str, Any] = {
        "reason": refused.reason, "detail": clean(detail[:2_000]), "topic": message.topic(),
        "partition": message.partition(), "offset": message.offset(),
        "produced_at": stamp_of(message), "key": None if closed else message.key(),
        "value": None if closed else message.value(),
        "headers": [] if closed else [
            {"name": name, "value": value} for name, value in message.headers() or ()
        ],
    }  # fmt: skip
    key = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return Output(TOPIC, key.encode(), values.encode(fields))
