"""How old a card is, and whether it is of the model that is there now."""

import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from router.conform.record import Card
from router.policy.accounts.retry import format_duration

#: Days after which a provider may have changed what a card says.
OLD_DAYS = 30
_DAY = 86400.0
# What tells one build of a model from another, and stays the same from day to day.
_STEADY = ("id", "created", "created_at", "owned_by", "root", "digest", "revision", "max_model_len", "max_input_tokens")


def compute_fingerprint(entry: Mapping[str, Any] | None) -> str:
    """A hash of what the entry of a list of models says of which build of the model it is, '' where it says nothing."""
    said = {name: entry[name] for name in _STEADY if name in entry} if entry is not None else {}
    if set(said) <= {"id"}:
        return ""
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]


def compute_age(card: Card, now: float | None = None) -> float:
    """Seconds since the oldest row, 0 for a date that cannot be read or is to come. now: seconds since 1970."""
    try:
        made = datetime.fromisoformat(card.date).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
    return max(0.0, (time.time() if now is None else now) - made)


def is_old(card: Card, now: float | None = None) -> bool:
    """True after OLD_DAYS."""
    return compute_age(card, now) > OLD_DAYS * _DAY


def format_age(card: Card, now: float | None = None) -> str:
    """`3 days old`."""
    return f"{format_duration(compute_age(card, now))} old"
