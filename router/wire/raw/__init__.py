"""Bytes and JSON of any protocol: reading, cutting and splicing them."""
