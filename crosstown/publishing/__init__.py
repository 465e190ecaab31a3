"""From an agency's file to its topic: rows made events, sent once, what can't be said is a reject."""
