"""Reads what the body of an error tells of a limit: how long it lasts, and whether it is one model's alone; and whether
its words say something, such as that money is used up.

    "retryDelay": "2.5s"                     Google's RetryInfo, also inside a text that a gateway repeats
    "retry_after": 12, "Retry-After": "12"   fields, also the headers of a provider behind a gateway
    Please try again in 1m30.5s              sentences: retry, try again, wait
    "quotaId": "…PerDayPerProjectPerModel"   Google's QuotaFailure: whose limit it is, and of what span

Only the beginning of a body is read, by expressions whose work grows with its length alone.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple, cast

from router.wire.headers.times import LONGEST, UNREADABLE, seconds_until
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Bytes of a body that are looked at.
READ_LIMIT = 16_384

# Seconds until a quota of a day is looked at again where the answer has no date.
_DAILY_RECHECK = 3600.0
# Most matches of one kind that are looked at.
_MATCHES = 8
# The end of a name, also inside a JSON text that another one holds; then the colon, and the beginning of the value.
_COLON = rb"\\{0,8}[\"']\s{0,8}:\s{0,8}(?:\\{0,8}[\"'])?"
_FIELD = re.compile(
    rb"(retry[-_]?after[-_]?ms|retry_?delay|retry[-_]?after|retry_after_s(?:econds)?|resets_in_seconds"
    rb"|x-ratelimit-reset)" + _COLON + rb"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|s|m|h)?",
    re.IGNORECASE,
)
_AMOUNT = rb"([0-9]{1,9}+(?:\.[0-9]{1,9}+)?+) ?(ms|milli|s|m|h|d)[a-z]{0,10}"
_PART = re.compile(_AMOUNT, re.IGNORECASE)
# Up to four amounts follow: `1m30s`, `1 minute and 5 seconds`.
_SENTENCE = re.compile(
    rb"(?:retry|again|wait|resets?) (?:in |after |for )?(?:about |approximately )?"
    rb"((?:[0-9][0-9.]{0,20} ?[a-z]{1,12}[ ,]{0,2}(?:and )?){1,4})",
    re.IGNORECASE,
)
_UNITS = {b"ms": 0.001, b"milli": 0.001, b"s": 1.0, b"m": 60.0, b"h": 3600.0, b"d": 86_400.0}
_QUOTA_ID = re.compile(rb"quotaid" + _COLON + rb"([a-z0-9_.-]{1,200})", re.IGNORECASE)
_NO_QUOTA = re.compile(rb"\blimit: 0(?![0-9.])", re.IGNORECASE)
_NAMED = re.compile(
    rb"(?:limit reached for|limit for|quota for|model:?) (?:model )?[`'\"\\]{0,8}([a-z0-9][a-z0-9._/:@-]{1,127})",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w./:@-]+")
_QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`")
_TEXTS = ("code", "type", "status", "message", "detail", "msg", "error", "reason")


class BodyLimit(NamedTuple):
    """What a body tells of a limit."""

    #: Seconds after which to ask again, None when it does not say.
    wait: float | None = None
    #: The limit is that of the model alone which was asked for.
    of_model: bool = False


def read_body_limit(body: bytes | bytearray, model: str = "", date: float | None = None) -> BodyLimit:
    """What the body of an error tells of its limit. model: as it was asked for. date: when the answer was made, in
    seconds since 1970, None when it does not say."""
    beginning = bytes(body[:READ_LIMIT])
    wait = _read_wait(beginning, date)
    quotas = [one.lower() for one in _QUOTA_ID.findall(beginning)[:_MATCHES]]
    if not quotas:
        return BodyLimit(wait, bool(model) and _names_model(beginning, model.lower()))
    daily = any(b"perday" in one for one in quotas) or _NO_QUOTA.search(beginning) is not None
    if daily and (wait is None or wait <= UNREADABLE):
        # The wait that is told is that of a limit a minute, while the day's stays used up.
        wait = _DAILY_RECHECK if date is None else _until_midnight(date)
    # Such a quota is one of requests or tokens, which ends by itself.
    return BodyLimit(UNREADABLE if wait is None else wait, all(b"permodel" in one for one in quotas))


def _read_wait(body: bytes, date: float | None) -> float | None:
    """The longest wait that the body tells of; 0 tells nothing."""
    waits: list[float] = []
    for name, number, unit in _FIELD.findall(body)[:_MATCHES]:
        if name[-2:].lower() == b"ms" and not unit:
            unit = b"ms"
        waits.append(seconds_until(number + unit.lower(), date))
    for told in _SENTENCE.findall(body)[:_MATCHES]:
        waits.append(sum(float(amount) * _UNITS[unit.lower()] for amount, unit in _PART.findall(told)))
    return max((one for one in waits if 0 < one <= LONGEST), default=None)


def _until_midnight(date: float) -> float:
    """Seconds until the next day begins where Google counts days, in California."""
    # Loaded after the start of a proxy: it reads the settings of the interpreter's own build.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone: tzinfo = ZoneInfo("America/Los_Angeles")
    except (ZoneInfoNotFoundError, OSError):
        zone = timezone(timedelta(hours=-8))  # no time zones on this machine: in summer an hour late
    now = datetime.fromtimestamp(date, zone)
    midnight = datetime(now.year, now.month, now.day, tzinfo=zone) + timedelta(days=1)
    return midnight.astimezone(UTC).timestamp() - date


def _names_model(body: bytes, model: str) -> bool:
    """True when the body names the model, by its whole name or as what a limit was reached for."""
    last = model.rpartition("/")[2]
    for found in _NAMED.findall(body)[:_MATCHES]:
        name = found.decode("ascii").lower().rstrip(".,:").rpartition("/")[2]
        # A limit of `gpt-4o` holds for its dated names as well.
        if name and (last == name or last.startswith((f"{name}-", f"{name}:", f"{name}@"))):
            return True
    text = body.decode("utf-8", "replace").lower()
    # A short name is found as a word of any text.
    return len(model) > 3 and model in text and any(one.rstrip(".:") == model for one in _NAME.findall(text))


def says_anywhere(body: bytes | bytearray, words: tuple[bytes, ...]) -> bool:
    """True when the beginning of the body holds one of the words, which are in lower case."""
    beginning = bytes(body[:READ_LIMIT]).lower()
    return any(word in beginning for word in words)


def says_itself(body: bytes | bytearray, words: tuple[bytes, ...]) -> bool:
    """True when the error's own code, type or message holds one of the words, which are in lower case. What a message
    quotes is no word of its own: an error about a request may repeat any text of it."""
    if not says_anywhere(body, words) and b"\\u" not in body[:READ_LIMIT]:
        return False
    text = bytes(body[:READ_LIMIT]).decode("utf-8", "replace")
    own = [word.decode() for word in words]
    return any(word in said for said in _list_texts(text, depth=2) for word in own)


def _list_texts(text: str, depth: int) -> list[str]:
    """The texts of an error in lower case, also of an error that a gateway repeats inside its message."""
    data = _decode(text)
    if data is None:
        return []
    error = data.get("error")
    holders = [data, cast("Json", error) if isinstance(error, dict) else {}]
    holders.append(json_values.get_object(json_values.get_object(data, "response"), "error"))
    found: list[str] = []
    for value in (holder[name] for holder in holders for name in _TEXTS if name in holder):
        if isinstance(value, str):
            found.append(_QUOTED.sub(" ", value).lower())
            at = value.find("{")
            if depth and at >= 0:
                found += _list_texts(value[at : value.rfind("}") + 1], depth - 1)
    return found


def _decode(text: str) -> Json | None:
    """The error's object; of a list, as Google's compatible endpoint sends it, the first."""
    text = text.strip()
    return json_values.decode_object(text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text)
