"""When a key ends, as the programs of clouds write it: seconds, moments in several forms, or inside the key itself."""

import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import msgspec

from router.login.calls import LONGEST_LIFE, read_seconds

# Moments, by who writes them: IMDS and az (seconds since 1970), AWS, gcloud, google-auth, Kubernetes.
_MOMENTS = ("expires_on", "Expiration", "token_expiry", "expiry", "expires_at", "expiration", "expirationTimestamp")
# az writes its local time without saying so; all others without a zone mean UTC.
_LOCAL = "expiresOn"
_LIVES = ("expires_in", "expiresIn", "ext_expires_in")
_TEXT = 64
#: Seconds since 1970 up to which a number is read as such; larger ones are milliseconds.
_SECONDS_LIMIT = 1e11
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.(eyJ[A-Za-z0-9_-]{1,16384})\.[A-Za-z0-9_-]*")


def find_life(fields: Mapping[str, object], now: float) -> float | None:
    """Seconds from now until the end that an object tells of, 0.0 or less for one that has passed; None where it tells
    of none that can be read. now: seconds since 1970."""
    for name in (*_MOMENTS, _LOCAL):
        moment = read_moment(fields.get(name), local=name == _LOCAL)
        if moment is not None:
            return min(moment - now, LONGEST_LIFE)
    for name in _LIVES:
        seconds = read_seconds(fields.get(name))
        if seconds is not None:
            return seconds
    return None


def read_moment(value: object, *, local: bool = False) -> float | None:
    """A moment in seconds since 1970: a number, or a text in ISO 8601; None for what is neither. local: without a zone
    it is in this machine's own, else in UTC."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = read_seconds(value, limit=float("inf"))
    if number is not None:
        return number if number < _SECONDS_LIMIT else number / 1000
    text = value.strip()[:_TEXT] if isinstance(value, str) else ""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.astimezone() if local else found.replace(tzinfo=UTC)
        return found.timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def find_token_life(token: str, now: float) -> float | None:
    """Seconds from now until the `exp` of a JSON Web Token (RFC 7519, 4.1.4); None for a key that is none, or tells of
    no end, and for an end that has passed: whether it is valid is its issuer's to say. now: seconds since 1970."""
    found = _JWT.fullmatch(token)
    if found is None:
        return None
    try:
        data = binascii.a2b_base64(found[1].replace("-", "+").replace("_", "/") + "==")
        claims = cast("object", msgspec.json.decode(data))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    moment = read_moment(cast("dict[str, object]", claims).get("exp")) if isinstance(claims, dict) else None
    return min(moment - now, LONGEST_LIFE) if moment is not None and moment > now else None
