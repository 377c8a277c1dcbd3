"""Faults and oddities that a model's name asks for, as the client kit's mock has them: gemini-3.8-flash-err-429-x1.

err-NNN with its usual words; key-invalid, key-disabled, location, overflow, per-day, no-quota, signature: refusals of
Google's own; drop-before-headers, drop-mid-stream, rst-mid-stream, stall-headers, stall-mid-stream, sse-error,
sse-error-first, sse-raw-error, no-terminal, html-502, badjson; -xN: only the first N requests of that name. think,
empty, max-tokens, refusal, blocked, malformed: of the answer; slow, onebyte, oneblob, ping, lf, nonstream-sse,
ignore-stream, omit-KEY, null-KEY: of its form. ra-N: the wait that a 429 tells.
"""

import re
from typing import NamedTuple

from . import errors
from .replies import Reply

_WORDS = (
    *("key-invalid", "key-disabled", "location", "overflow", "per-day", "no-quota", "signature"),
    *("drop-before-headers", "drop-mid-stream", "rst-mid-stream", "stall-headers", "stall-mid-stream"),
    *("sse-error-first", "sse-raw-error", "sse-error", "no-terminal", "html-502", "badjson"),
    *("think", "empty", "max-tokens", "refusal", "blocked", "malformed"),
    *("slow", "onebyte", "oneblob", "ping-gap-1", "ping", "lf", "crlf", "nonstream-sse", "ignore-stream"),
)
_PATTERN = re.compile(rf"-(err-\d\d\d|ra-?\d+|x\d+|(?:omit|null)-\w+|{'|'.join(_WORDS)})(?=-|$)")
#: What only a number of requests is done to.
_FAULTS = {*_WORDS[: _WORDS.index("think")]}
_KEYS = {"usage": "usageMetadata", "id": "responseId", "model": "modelVersion", "finish": "finishReason"}


class Directives(NamedTuple):
    """What is asked of one answer. times: how often the faults happen, None for always."""

    words: frozenset
    status: int = 0
    wait: int | None = None
    times: int | None = None
    omit: tuple = ()
    null: tuple = ()

    def cured(self):
        """The same without its faults."""
        return self._replace(words=self.words - _FAULTS, status=0)


def parse(name):
    """The directives in a model's name."""
    found = _PATTERN.findall(name)
    words, fields = {word for word in found if word in _WORDS}, {}
    for word in found:
        kind, _, value = word.partition("-")
        if kind == "err":
            fields["status"] = int(value)
        elif re.fullmatch(r"ra-?\d+", word):
            fields["wait"] = int(word[2:].lstrip("-"))
        elif re.fullmatch(r"x\d+", word):
            fields["times"] = int(word[1:])
        elif kind in ("omit", "null"):
            fields[kind] = (*fields.get(kind, ()), _KEYS.get(value, value))
    return Directives(frozenset(words), **fields)


def refuse(told, model):
    """Raise the refusal that is asked for."""
    if told.status == 429:
        raise errors.quota(model, seconds=told.wait)
    if told.status in (503, 529):
        raise errors.overloaded()
    if told.status:
        raise errors.Refused(told.status, f"mock injected {told.status}")
    for word, make in _REFUSALS.items():
        if word in told.words:
            raise make(model)


_REFUSALS = {
    "key-invalid": lambda model: errors.wrong_key(),
    "key-disabled": lambda model: errors.Refused(
        403,
        "Generative Language API has not been used in project 1 before or it is disabled.",
        errors.error_info("SERVICE_DISABLED", consumer="projects/1"),
    ),
    "location": lambda model: errors.no_location(),
    "overflow": lambda model: errors.too_long(1200000, 1048576),
    "per-day": lambda model: errors.quota(model, seconds=43000, per="Day", limit=250),
    "no-quota": lambda model: errors.quota(model, limit=0),
    "signature": lambda model: errors.Refused(400, "Corrupted thought signature."),
}


def altered(reply, told):
    """The reply, changed as is asked."""
    for word, change in _CHANGES.items():
        if word in told.words:
            reply = change(reply)
    return reply


_CHANGES = {
    "empty": lambda reply: Reply(""),
    "max-tokens": lambda reply: reply._replace(finish="MAX_TOKENS"),
    "refusal": lambda reply: Reply("", finish="SAFETY", message="It is not safe."),
    "blocked": lambda reply: Reply("", blocked="PROHIBITED_CONTENT"),
    "malformed": lambda reply: Reply("", finish="MALFORMED_FUNCTION_CALL", message="Malformed function call: x("),
    "no-terminal": lambda reply: reply._replace(finish=""),
}


def pruned(value, told):
    """JSON without the keys to leave out, and with null in the others' place."""
    if isinstance(value, dict):
        return {
            key: None if key in told.null else pruned(one, told) for key, one in value.items() if key not in told.omit
        }
    return [pruned(one, told) for one in value] if isinstance(value, list) else value
