"""The schema registry: Confluent's routes over a compacted topic, and a client of any such."""
