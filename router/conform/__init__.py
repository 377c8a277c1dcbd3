"""Conformance cards: what a backend really does, found out by tiny requests within a budget."""
