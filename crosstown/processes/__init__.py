"""Processes of a home: told apart from strangers, what they said last, their locks and ports."""
