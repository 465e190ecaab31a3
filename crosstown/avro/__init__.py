"""Avro from strangers and for them: bodies, schemas held back or compared, and their values as JSON."""
