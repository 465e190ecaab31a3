"""Which feeds have said nothing for so long that somebody should ask why: a wrong filter is silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from crosstown.agreements.agreement import Agreement
from crosstown.agreements.words import DAY, Standing
from crosstown.backbone import kafka
from crosstown.errors import Unavailable
from crosstown.home import Endpoints
from crosstown.settings import Settings

TIMEOUT = 10.0


def quiet(
    settings: Settings,
    endpoints: Endpoints,
    agreements: Iterable[Agreement],
    standings: Mapping[str, Standing | None],
    now: int,
) -> set[str]:
    """The agreements in force for longer than their `quiet_days` whose feed has no message of these days.

    `now` is microseconds UTC. Raises `Unavailable` where Kafka doesn't answer.
    """
    asked: dict[str, tuple[str, int]] = {}
    for one in agreements:
        stands = standings.get(one.id)
        since = now - round(one.quiet_days * DAY)
        if stands is not None and stands.holds and stands.begins <= since:
            asked[one.topic] = (one.id, since // 1000)
    if not asked:
        return set()
    consumer = Consumer(kafka.consumer(settings, endpoints, group_id="quiet"))
    try:
        there = consumer.list_topics(timeout=TIMEOUT).topics
        found = consumer.offsets_for_times(
            [TopicPartition(topic, 0, at) for topic, (_, at) in asked.items() if topic in there],
            timeout=TIMEOUT,
        )
    except KafkaException as error:
        raise Unavailable(f"the feeds can't be asked: {error.args[0].str()}") from None
    finally:
        consumer.close()
    talking = {one.topic for one in found if one.offset >= 0}
    return {agreement for topic, (agreement, _) in asked.items() if topic not in talking}
