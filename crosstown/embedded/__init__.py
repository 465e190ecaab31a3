"""The Kafka that comes along: its archives, its one node, its log of refusals."""
