"""Answers of upstreams: live, translated, read ahead."""
