"""Crosstown: agencies say what happened; their events become cross-agency case timelines, on Kafka."""
