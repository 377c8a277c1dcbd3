"""Bytes and JSON, whatever protocol they are of."""
