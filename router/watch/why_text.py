"""What happened to a request, in words: who served it, each attempt, what went wrong, its tokens and its cost."""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from router.net.server.cancel_reason import CancelReason
from router.policy.cache.causes import WORDS
from router.settings.kinds import clean
from router.store.history.columns import COLUMNS, Column
from router.store.history.read_requests import RecordedRequest
from router.watch import amounts
from router.watch.next_step import find_next_step

# The columns that have lines of their own: what the caller said of the request stands before the route, all others
# behind the tokens.
_CALLERS = ("tag", "key", "class", "agent", "agent id", "of agent")
_BEFORE_ROUTE = [column for column in COLUMNS if column.why in _CALLERS]
_AFTER_TOKENS = [column for column in COLUMNS if column.why not in ("", *_CALLERS)]
# Classes of errors without a text of their own.
_IN_WORDS = {reason.name.lower(): reason.value for reason in CancelReason}
#: What the line of a request that nobody served begins with, in the place of a label.
NOT_SENT = "not sent: "


class Fact(NamedTuple):
    """A line. label: what it is about; '' for the first line, and for one that begins with NOT_SENT."""

    label: str
    text: str


def describe_request(found: RecordedRequest) -> list[Fact]:
    """What is known of a request, its first line first."""
    head = (
        found.id,
        clean(found.model) or f"{found.method} {clean(found.path)}",
        found.client,
        found.protocol,
        str(found.status or "no answer"),
        "streamed" if found.stream else "",
        amounts.format_seconds(found.total_ms),
    )
    lines = [Fact("", "   ".join(part for part in head if part))]
    lines.append(Fact("time", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.time))))
    lines += _labelled(found, _BEFORE_ROUTE)
    if found.route:
        lines.append(Fact("route", f"{clean(found.route, 300)}{_name_sent(found)}"))
    lines.append(_served(found))
    lines += _way(found)
    lines += _error(found)
    if found.tokens_in is not None or found.tokens_out is not None:
        lines.append(Fact("tokens", _tokens(found)))
    if found.billing or found.utilisation is not None:
        lines.append(Fact("account", "   ".join(part for part in (clean(found.billing), _used(found)) if part)))
    if found.cache_reason:
        lines.append(Fact("cache", _cache(found)))
    if found.answer_cache:
        lines.append(Fact("answer", _reuse(found)))
    lines += _labelled(found, _AFTER_TOKENS)
    if found.given_up:
        lines.append(Fact("note", f"the move gave up about {amounts.format_tokens(found.given_up)} cached tokens"))
    if found.estimated:
        lines.append(Fact("note", "the token counts are an estimate: the upstream did not say, or was cut off"))
    return lines


def _labelled(found: RecordedRequest, columns: Iterable[Column]) -> list[Fact]:
    """The lines of columns that have lines of their own: one for each text of a list, none for what is not known."""
    lines: list[Fact] = []
    for column in columns:
        value: Any = getattr(found, column.shown)
        for one in value if column.storage is not None and column.storage.shown == list[str] else (value,):
            if one not in (None, "", False):
                lines.append(Fact(column.why, _text(one)))
    return lines


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "yes"
    return clean(value) if isinstance(value, str) else f"{value:,}"


def _name_sent(found: RecordedRequest) -> str:
    """The name that was sent, where it is not the one that was asked for."""
    return f"   sent as {clean(found.served_model)}" if found.served_model not in ("", found.model) else ""


def _served(found: RecordedRequest) -> Fact:
    """Who served the request; who was asked, when nobody did."""
    if not found.attempts:
        if found.status and found.status < 400:
            return Fact("served by", "fairlead itself")
        meant = f", it would have gone to {clean(found.backend)}" if found.backend else ""
        left = "the client left before" if found.error == "client_gone" else "fairlead refused it"
        return Fact("", f"{NOT_SENT}{left}{meant}")
    good = found.status and found.status < 400 and found.first_byte_ms is not None
    parts = [f"{clean(found.backend)}/{clean(found.account)}", _count(found.attempts, "attempt")]
    if found.queue_ms:
        parts.append(f"queued {amounts.format_seconds(found.queue_ms)}")
    if good:
        parts.append(f"first byte {amounts.format_seconds(found.first_byte_ms)}")
    return Fact("served by" if good else "asked", "   ".join(parts))


def _used(found: RecordedRequest) -> str:
    """What was in use of the account's limits, as its answer said."""
    windows = [("5h", found.used_5h), ("7d", found.used_7d)]
    told = [f"{name} {amounts.format_share(used)}" for name, used in windows if used is not None]
    if told:
        return f"{', '.join(told)} in use"
    return (
        "" if found.utilisation is None else f"{amounts.format_share(found.utilisation)} of the tightest limit in use"
    )


def _way(found: RecordedRequest) -> list[Fact]:
    """The wait, and the attempts one by one."""
    lines: list[Fact] = []
    if found.bound:
        turns = "" if found.turns is None else f", {_count(found.turns, 'turn')}"
        bound = f", bound to {clean(found.bound)} (session {clean(found.session or '')}{turns})"
        lines.append(Fact("+0 ms", f"queued {amounts.format_seconds(found.queue_ms)}{bound}"))
    names = [f"{clean(one.backend)}/{clean(one.account)}" for one in found.tries]
    wide = max(map(len, names), default=0)
    # What all say is said once: the error's own line says it.
    said = found.error_text if len(found.tries) == 1 else ""
    for name, one in zip(names, found.tries, strict=True):
        told = [str(one.status) if one.status else "no answer", clean(one.note)]
        if one is found.tries[-1] and found.first_byte_ms is not None and not one.error:
            told.append(f"first byte {amounts.format_seconds(found.first_byte_ms)}")
        text = ", ".join(part for part in told if part)
        if one.text and one.text != said:
            text += f": {clean(one.text, 300)}"
        elif one.error and not one.text:
            text += f", {clean(one.error)}"
        said = one.text or said
        done = f" \N{RIGHTWARDS ARROW} {clean(one.done)}" if one.done else ""
        lines.append(Fact(f"+{amounts.format_seconds(one.at_ms)}", f"{name.ljust(wide)}   {text}{done}"))
    return lines


def _error(found: RecordedRequest) -> list[Fact]:
    """What went wrong, its class, and what can be done about it."""
    if not found.error:
        return []
    text = clean(found.error_text or _IN_WORDS.get(found.error, ""), 300)
    step = find_next_step(found)
    lines = [Fact("error", f"{text}   ({clean(found.error)})" if text else clean(found.error))]
    return [*lines, Fact("next", step)] if step else lines


def _reuse(found: RecordedRequest) -> str:
    """What fairlead's own cache of answers gave."""
    if found.answer_age_s is None:
        return "the cache had none to an equal request"
    saved = "" if found.saved_usd is None else f"; it cost {amounts.format_money(found.saved_usd)} then, nothing now"
    return f"that to an equal request, {amounts.format_seconds(found.answer_age_s * 1000)} old, from the cache{saved}"


def _cache(found: RecordedRequest) -> str:
    """What the provider's cache did not give, why, and since when."""
    read, lost = found.cache_read or 0, found.cache_lost or 0
    whole = (found.tokens_in or 0) + read + (found.cache_write or 0)
    price = "" if found.cache_lost_usd is None else f" ({amounts.format_money(found.cache_lost_usd)})"
    text = f" ({clean(found.cache_text)})" if found.cache_text else ""
    cause = f"{WORDS.get(found.cache_reason or '', found.cache_reason)}{text}"
    since = f"{amounts.format_seconds((found.cache_idle_s or 0) * 1000)} since the turn before"
    return f"{read:,} of {whole:,} tokens read, {lost:,} lost{price}: {cause}; {since}{_longer(found)}"


def _longer(found: RecordedRequest) -> str:
    """What it would have cost, and saved, to have the cache keep the prompt for longer."""
    if found.cache_longer_usd is None or found.cache_lost_usd is None:
        return ""
    cost, saved = amounts.format_money(found.cache_longer_usd), amounts.format_money(found.cache_lost_usd)
    return f"; marks for 1 h would have cost {cost} more and saved {saved}"


def _tokens(found: RecordedRequest) -> str:
    parts = [f"in {found.tokens_in or 0:,}"]
    hour = f" ({found.cache_write_1h:,} for an hour)" if found.cache_write_1h else ""
    for name, tokens, more in (("cache read", found.cache_read, ""), ("cache write", found.cache_write, hour)):
        if tokens:
            parts.append(f"{name} {tokens:,}{more}")
    parts.append(f"out {found.tokens_out or 0:,}")
    if found.reasoning:
        parts.append(f"(reasoning {found.reasoning:,})")
    return "   ".join([*parts, amounts.format_cost(found.cost_usd, found.price)])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
