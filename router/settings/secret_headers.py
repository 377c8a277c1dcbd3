"""Recognises possible secrets among names and values that the user chose; they are shown as `set`."""

import re

from router.settings.secret_names import may_be_secret_name

#: Characters. A shorter secret is not redacted in texts, because it would match ordinary words.
SHORTEST = 8
_VALUE = re.compile(
    r"\b(sk-|sk_|gsk_|xai-|AIza|fl-|ghp_|github_pat_|hf_|eyJ|ABSK|bedrock-api-key-|nvapi-|ya29\.|AKIA|ASIA|"
    r"Bearer |Basic )|[A-Za-z0-9_-]{40}"
)
# One long word with letters and digits that is no URL: not a value that is written by hand.
_WORD = re.compile(r"(?!https?://)(?=\S*\d)(?=\S*[A-Za-z])\S{16,}")
_ORDINARY = re.compile(r"[A-Za-z]+(?:[ ._/-][A-Za-z]+)*")
#: Lower-case names of headers whose values are shown: they say what a program is or asks for. A gateway's header for a
#: password may have any other name, and its value any form.
SHOWN = frozenset(
    (
        *("accept", "accept-language", "accept-charset", "cache-control", "pragma", "priority", "user-agent"),
        *("anthropic-version", "anthropic-beta", "openai-beta", "openai-version", "api-version", "x-api-version"),
        *("http-referer", "x-title", "x-openrouter-title", "x-openrouter-categories", "x-goog-api-client"),
        *("editor-version", "editor-plugin-version", "copilot-integration-id", "openai-intent", "x-initiator"),
        *("x-provider", "x-region", "x-client-name", "x-client-version", "x-app", "x-application", "x-service-tier"),
    )
)


def is_secret_value(value: str) -> bool:
    """True for a value that has the form of a known kind of key."""
    return _VALUE.search(value) is not None


def is_secret_header(name: str, value: str) -> bool:
    """True for a configured header whose value is not shown: each but the few of SHOWN, and those too when the value
    looks like a key."""
    return name.lower() not in SHOWN or looks_like_key(name, value)


def looks_like_key(name: str, value: str) -> bool:
    """True for a configured header that probably holds a key: what a user is warned of."""
    versioned = name.lower().endswith(("-version", "-beta"))
    return may_be_secret_name(name) or is_secret_value(value) or (not versioned and _WORD.fullmatch(value) is not None)


def is_hidden_in_texts(name: str, value: str) -> bool:
    """True for a configured header whose value is removed from logs, errors and captures: one that is not shown,
    unless the value is made of plain words, which texts hold for other reasons, and its name tells nothing."""
    plain = _ORDINARY.fullmatch(value) is not None
    return is_secret_header(name, value) and (not plain or may_be_secret_name(name))
