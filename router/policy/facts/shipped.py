"""Reads the shipped table of model facts: what is assumed of a model as long as nothing better is known.

The table is decompressed when a model is first looked up, which takes a few milliseconds, and not at the start. Its
numbers are other people's notes of what vendors publish: good enough to show and to choose by, and never a reason to
refuse a request.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import msgspec

from router.backends.profile import EFFORTS
from router.policy.facts.model_facts import MODALITIES, ModelFacts

#: The facts of a row, in order, behind the name.
FIELDS = (
    *("window", "max_input", "max_output", "price_tier_at", "modalities", "efforts", "cache_lifetimes"),
    *("retires", "successor"),
)
# Fields that are packed as digits, each the place of a word.
_WORDS: dict[str, Sequence[str]] = {"modalities": MODALITIES, "efforts": EFFORTS}
# The vendors of models that are sold under the same name elsewhere, by the beginning of the name.
_BEGINNINGS = (("claude-", "anthropic"), ("gpt-", "openai"), ("gemini-", "gemini"), ("grok-", "xai"))
_OPEN = "gpt-oss"
#: Digits of a date at the end of a name.
_DATE_DIGITS = 8


def find_shipped(vendor: str, model: str) -> tuple[ModelFacts, bool] | None:
    """The facts of a model and whether they were found by its name alone; None when the table does not have it. vendor:
    the known provider of the backend, '' for another, such as a gateway."""
    table = _load()
    name = model.lower()
    if vendor in table:
        found = _look_up(table[vendor], name)
        return None if found is None else (found, False)
    if vendor:
        return None
    seller = _find_seller(name)
    found = _look_up(table.get(seller, {}), name.rpartition("/")[2]) if seller else None
    return None if found is None else (found, True)


def read_date() -> str:
    """The day from which the table is."""
    from router.policy.facts.shipped_table import DATE

    return DATE


def _find_seller(name: str) -> str:
    """The vendor that alone sells models of this name, '' for none: a model with open weights has the window that its
    host gives it."""
    plain = name.rpartition("/")[2]
    if plain.startswith(_OPEN):
        return ""
    return next((vendor for beginning, vendor in _BEGINNINGS if plain.startswith(beginning)), "")


def _look_up(rows: Mapping[str, Sequence[Any]], name: str) -> ModelFacts | None:
    """By the name, else by the name without the date of the version."""
    row = rows.get(name)
    if row is None:
        head, mark, tail = name.rpartition("-")
        row = rows.get(head) if mark and len(tail) == _DATE_DIGITS and tail.isdigit() else None
    return None if row is None else _unpack(row)


def _unpack(row: Sequence[Any]) -> ModelFacts:
    values: dict[str, Any] = {}
    for field, value in zip(FIELDS, row[1:], strict=False):
        if value is None:
            continue
        words = _WORDS.get(field)
        if words is not None:
            value = tuple(words[int(digit)] for digit in value)
        values[field] = tuple(cast("list[int]", value)) if isinstance(value, list) else value
    return ModelFacts(**values)


@cache
def _load() -> Mapping[str, Mapping[str, Sequence[Any]]]:
    """Provider -> model in lower case -> row."""
    from router.policy.facts.shipped_table import DATA

    plain: dict[str, list[list[Any]]] = msgspec.json.decode(zlib.decompress(base64.b85decode(DATA)))
    return {vendor: {row[0]: row for row in rows} for vendor, rows in plain.items()}
