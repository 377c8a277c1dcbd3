"""Reads what the model lists of providers say beside names.

The fields of all providers stand in one table, since their names mean one thing each, and gateways pass on or copy
them: an entry of a list is read by all of it, whoever sent it. LM Studio alone uses a name of Mistral's for something
else, so its own list has its own table (local_servers.py).

Sources of the fields: the API references and official SDKs of Anthropic, OpenAI, OpenRouter, Groq, Mistral, Together,
Fireworks, Cerebras, Gemini and xAI, and the source of vLLM and llama.cpp.

Rules of this file: what a list says may be anything. A number outside of the bounds, a text that is too long, a list of
unknown words count as not said; the entry stands with the rest of it. Nothing here raises.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple, cast

import msgspec

from router.backends.profile import EFFORTS
from router.policy.facts.model_facts import MODALITIES, TOKENS_LEAST, TOKENS_MOST, ModelFacts
from router.settings.kinds import clean

#: Characters of a title or a successor's name.
TEXT_LIMIT = 200
#: Items of a list that are looked at.
_ITEMS = 64
_YEARS = range(2015, 2101)
_UNKNOWN = object()
_EMPTY = ModelFacts()


class Listed(NamedTuple):
    """What one entry of a model list says."""

    facts: ModelFacts
    #: The window that the server has allocated, which counts for more than what a list says.
    allocated: int | None = None
    #: What was said and not believed.
    refused: tuple[str, ...] = ()
    #: Who serves it, as some servers say.
    owner: str = ""


def read_tokens(value: object) -> object:
    """A number of tokens, also as text; _UNKNOWN for what is none, None for 0 and null, by which some mean unknown."""
    if isinstance(value, str):
        value = int(value) if len(value) < 16 and value.isascii() and value.isdigit() else _UNKNOWN
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == 0:
        return None
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and TOKENS_LEAST <= cast("int", value) <= TOKENS_MOST else _UNKNOWN


def read_day(value: object) -> object:
    """A day as 2026-11-30, from a text in ISO 8601 or from seconds since 1970; null and '' are None."""
    if value in (None, "", 0):
        return None
    try:
        if isinstance(value, str) and len(value) <= 40:
            day = date.fromisoformat(value[:10])
        elif isinstance(value, dict):  # google.type.Date
            parts = cast("Mapping[str, int]", value)
            day = date(parts["year"], parts["month"], parts["day"])
        else:
            day = datetime.fromtimestamp(_as_seconds(value), UTC).date()
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return _UNKNOWN
    return day.isoformat() if day.year in _YEARS else _UNKNOWN


def read_moment(value: object) -> object:
    """Seconds since 1970, from a text in ISO 8601 or a number."""
    if value in (None, "", 0):
        return None
    try:
        if isinstance(value, str) and len(value) <= 40:
            moment = datetime.fromisoformat(value)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        else:
            seconds = _as_seconds(value)
        return int(seconds) if datetime.fromtimestamp(seconds, UTC).year in _YEARS else _UNKNOWN
    except (ValueError, OverflowError, OSError):
        return _UNKNOWN


def _as_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return value


def read_text(value: object) -> object:
    """A short text that a terminal may show; '' is None."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        return _UNKNOWN
    return clean(value) or _UNKNOWN


def read_flag(value: object) -> object:
    """True or False; also of `{"supported": true}`."""
    if isinstance(value, dict):
        value = cast("Mapping[str, object]", value).get("supported")
    return value if value is None or isinstance(value, bool) else _UNKNOWN


_LIFECYCLES = {"active": False, "deprecated": True, "retired": True, "deprecating": True}


def _read_lifecycle(value: object) -> object:
    return _LIFECYCLES.get(value.lower()) if isinstance(value, str) else None


def _read_words(value: object, known: Sequence[str], other: Mapping[str, str]) -> object:
    """Of a list of words those that are known, in their own order; None where it has none."""
    if value is None:
        return None
    if not isinstance(value, list):
        return _UNKNOWN
    words = [word.lower() for word in cast("list[object]", value)[:_ITEMS] if isinstance(word, str)]
    found = {other.get(word, word) for word in words}
    return tuple(word for word in known if word in found) or None


def read_modalities(value: object) -> object:
    """Kinds of input."""
    return _read_words(value, MODALITIES, {"pdf": "file", "document": "file", "images": "image"})


def read_efforts(value: object) -> object:
    """Reasoning efforts, from a list of words or from Anthropic's `{"low": {"supported": true}, …}`."""
    if isinstance(value, dict):
        entry = cast("Mapping[str, object]", value)
        if read_flag(entry) is False:
            return ()
        value = [word for word in EFFORTS if read_flag(entry.get(word)) is True]
    return _read_words(value, EFFORTS, {"off": "none", "minimum": "minimal", "maximum": "max"})


class Reading(NamedTuple):
    """How one fact is read."""

    fact: str
    #: Where it may stand, by dotted paths: the first that says something counts.
    paths: tuple[str, ...]
    read: Callable[[object], object]


_READINGS = (
    Reading("window", ("context_length", "context_window", "max_context_length", "contextLength"), read_tokens),
    Reading("window", ("top_provider.context_length", "limits.max_context_length"), read_tokens),
    Reading("max_input", ("max_input_tokens", "inputTokenLimit", "max_prompt_length"), read_tokens),
    Reading("max_output", ("top_provider.max_completion_tokens", "max_completion_tokens", "max_tokens"), read_tokens),
    Reading("max_output", ("max_output_tokens", "max_output_length", "outputTokenLimit"), read_tokens),
    Reading("max_output", ("limits.max_completion_tokens",), read_tokens),
    Reading("trained_window", ("meta.n_ctx_train",), read_tokens),
    Reading("modalities", ("architecture.input_modalities", "input_modalities", "inputModalities"), read_modalities),
    Reading("efforts", ("reasoning.supported_efforts", "capabilities.effort"), read_efforts),
    Reading("efforts", ("capabilities.reasoning.allowed_options",), read_efforts),
    Reading("deprecated", ("lifecycle", "status"), _read_lifecycle),
    Reading("deprecated", ("deprecated",), read_flag),
    Reading("retires", ("retires_at", "shutdown_date", "expiration_date", "deprecation", "deprecationDate"), read_day),
    Reading("successor", ("deprecation_replacement_model", "successor_model"), read_text),
    Reading("title", ("display_name", "displayName", "name"), read_text),
    Reading("created", ("created_at", "created"), read_moment),
)
_ALLOCATED = Reading("window", ("max_model_len",), read_tokens)
#: Kinds of input that a flag tells. A model of such a list takes text.
_FLAGS = (
    ("image", ("capabilities.image_input", "capabilities.vision", "supportsImageInput", "modalities.vision")),
    ("audio", ("capabilities.audio", "modalities.audio")),
    ("file", ("capabilities.pdf_input",)),
)


def read_entry(entry: Mapping[str, object]) -> Listed:
    """What an entry of a model list says of its model."""
    values: dict[str, object] = {}
    refused: list[str] = []
    for reading in _READINGS:
        if reading.fact not in values:
            _read_fact(entry, reading, values, refused)
    if "modalities" not in values:
        told = [(word, read_flag(find_value(entry, path))) for word, paths in _FLAGS for path in paths]
        if any(isinstance(value, bool) for _, value in told):
            values["modalities"] = ("text", *(word for word, value in told if value is True))
    allocated: dict[str, object] = {}
    _read_fact(entry, _ALLOCATED, allocated, refused)
    owner = entry.get("owned_by")
    return Listed(
        _make_facts(values),
        cast("int | None", allocated.get("window")),
        tuple(refused),
        owner[:TEXT_LIMIT] if isinstance(owner, str) else "",
    )


def read_by(readings: Sequence[Reading], entry: Mapping[str, object]) -> Listed:
    """The same by another table."""
    values: dict[str, object] = {}
    refused: list[str] = []
    for reading in readings:
        if reading.fact not in values:
            _read_fact(entry, reading, values, refused)
    return Listed(_make_facts(values), None, tuple(refused))


def _make_facts(values: Mapping[str, object]) -> ModelFacts:
    return msgspec.convert(values, ModelFacts) if values else _EMPTY


def _read_fact(entry: Mapping[str, object], reading: Reading, values: dict[str, object], refused: list[str]) -> None:
    for path in reading.paths:
        value = find_value(entry, path)
        if value is None:
            continue
        found = reading.read(value)
        if found is _UNKNOWN:
            refused.append(path)
        elif found is not None:
            values[reading.fact] = found
            return


def find_value(entry: Mapping[str, object], path: str) -> object:
    """The value at a dotted path, None where there is none."""
    node: object = entry
    for name in path.split("."):
        if not isinstance(node, dict):
            return None
        node = cast("Mapping[str, object]", node).get(name)
    return node
