"""Answers of upstreams: live, translated, or read whole."""
