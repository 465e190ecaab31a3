"""Feeds over HTTP: what an agreement gives, as lines of JSON, as a stream, or waited for."""
