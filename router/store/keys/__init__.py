"""Stored keys and references to keys."""
