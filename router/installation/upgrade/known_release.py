"""The newest release that a look for one found: kept in the home, so that other commands can tell of it without a look
of their own."""

import contextlib
import time

import msgspec

from router.errors import CommandError
from router.installation.upgrade.release import Release, is_newer, parse_version
from router.store.home.home import Home

_NAME = "newest_release.json"


class KnownRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release, as its verified description told."""

    version: str
    #: YYYY-MM-DD.
    date: str
    #: When it was looked for, seconds since 1970.
    seen: float


def remember_release(home: Home, release: Release) -> None:
    """Keep it. That it cannot be kept is no failure of the look."""
    known = KnownRelease(version=release.version, date=release.date, seen=time.time())
    with contextlib.suppress(CommandError):
        home.write(_NAME, msgspec.json.encode(known))


def find_newer_release(home: Home, current: str) -> KnownRelease | None:
    """What was found last, where it is newer than this version; None else, and for what cannot be read."""
    try:
        data = home.read(_NAME)
        known = msgspec.json.decode(data, type=KnownRelease) if data is not None else None
    except (CommandError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if known is None or parse_version(known.version) is None or not is_newer(known.version, current):
        return None
    return known
