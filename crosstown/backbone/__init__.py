"""Kafka as Crosstown uses it: clients, topics, logins, and reading a topic through."""
