"""Completeness: what a source counted, held against what was published, accepted, joined, delivered."""
