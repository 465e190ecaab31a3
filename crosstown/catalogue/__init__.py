"""The catalogue of a contract repository: readable pages and an AsyncAPI document, without a cluster.

What is in them and why: docs/decisions/0018.
"""
