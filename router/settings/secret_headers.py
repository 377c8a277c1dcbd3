"""Recognises possible secrets among names and values that the user chose; they are shown as `set`."""

import re

#: Characters. A shorter secret is not redacted in texts, because it would match ordinary words.
SHORTEST = 8
_NAME = re.compile(r"key|token|secret|passw|credential|auth|cookie|session|signature|jwt|bearer", re.IGNORECASE)
_VALUE = re.compile(r"\b(sk-|sk_|gsk_|xai-|AIza|fl-|ghp_|github_pat_|hf_|eyJ|Bearer |Basic )|[A-Za-z0-9_-]{40}")
# One long word with letters and digits that is no URL: not a value that is written by hand.
_WORD = re.compile(r"(?!https?://)(?=\S*\d)(?=\S*[A-Za-z])\S{16,}")


def is_secret_name(name: str) -> bool:
    """True for a name that indicates a secret value."""
    return _NAME.search(name) is not None


def is_secret_value(value: str) -> bool:
    """True for a value that has the form of a known kind of key."""
    return _VALUE.search(value) is not None


def is_secret_header(name: str, value: str) -> bool:
    """True for a configured header that may hold a secret."""
    return is_secret_name(name) or is_secret_value(value) or _WORD.fullmatch(value) is not None
