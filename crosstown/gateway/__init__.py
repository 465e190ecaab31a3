"""The HTTP edge: events come in without a Kafka client (docs/decisions/0021)."""
