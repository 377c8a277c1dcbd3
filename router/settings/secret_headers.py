"""Recognises secrets among names and values that the user chose, such as configured headers: shown as `set`."""

import re

#: Shorter secrets are not removed from texts: ordinary words would be removed too.
SHORTEST = 8
_NAME = re.compile(r"key|token|secret|passw|credential|auth|cookie|session|signature|jwt|bearer", re.IGNORECASE)
_VALUE = re.compile(r"\b(sk-|sk_|gsk_|xai-|AIza|fl-|ghp_|github_pat_|hf_|eyJ|Bearer |Basic )|[A-Za-z0-9_-]{40}")
# One long word with letters and digits that is no URL: unlike a header's value that a person writes.
_WORD = re.compile(r"(?!https?://)(?=\S*\d)(?=\S*[A-Za-z])\S{16,}")


def is_secret_name(name: str) -> bool:
    """True for a name that suggests its value is a secret."""
    return _NAME.search(name) is not None


def is_secret_value(value: str) -> bool:
    """True for a value in the form of a known kind of key."""
    return _VALUE.search(value) is not None


def is_secret_header(name: str, value: str) -> bool:
    """True for a configured header that may hold a secret."""
    return is_secret_name(name) or is_secret_value(value) or _WORD.fullmatch(value) is not None
