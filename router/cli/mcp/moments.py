"""Moments as an agent reads them."""

from datetime import datetime


def format_moment(seconds: float) -> str:
    """A moment in local time, as 2026-11-30T17:20:05+01:00. seconds: since 1970."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
