"""Why a prompt was not read from the provider's cache, though the turn before it should have left it there."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from router.backends.cache_rules import HOUR, CacheRule
from router.policy.cache.sessions import Comparison, Turn

#: Fewer tokens than these, or than a twentieth of what was expected, are no loss: entries end at borders of blocks.
LEAST, SHARE = 1024, 20

Reason = Literal[
    "account",
    "settings",
    "tools",
    "system",
    "messages",
    "expired",
    "minimum",
    "unmarked",
    "lookback",
    "edits",
    "evicted",
]
#: Each cause in words, in the order in which they are looked for; what follows in parentheses is the loss's `text`.
WORDS: Mapping[str, str] = {
    "account": "another account served it",
    "settings": "the settings of the request changed",
    "tools": "the tool list changed",
    "system": "the system prompt changed",
    "messages": "the conversation was rewritten",
    "expired": "the cache does not keep it for so long",
    "minimum": "the prompt is shorter than what is cached",
    "unmarked": "no cache marks were sent",
    "lookback": "the mark of the turn before is not found",
    "edits": "what fairlead changes in the request is another thing now",
    "evicted": "the provider dropped it, or the cause is not known",
}


class CacheLoss(msgspec.Struct, frozen=True, gc=False):
    """Tokens that were paid as new input though the cache should have had them."""

    reason: Reason
    tokens: int
    #: Seconds since the turn before.
    idle: int
    #: More of the cause: names of fields, tools and accounts, numbers and roles, no text of a prompt.
    text: str


def judge(comparison: Comparison, turn: Turn, read: int, rule: CacheRule, *, why_moved: str = "") -> CacheLoss | None:
    """What a request lost; None for one that found what was expected. turn: the request as it was answered. read:
    tokens that came from the cache. why_moved: why the account is another one, in a word."""
    before = comparison.previous
    if before is None:
        return None
    expected = min(_expect(before, rule), turn.total)
    lost = expected - read
    if lost <= max(LEAST, expected // SHARE):
        return None
    idle = max(0, round(turn.started - before.started))
    reason, text = (
        _find_request_cause(comparison, before, turn, why_moved)
        or _find_cache_cause(before, turn, rule, idle)
        or ("edits" if before.edits != turn.edits else "evicted", "")
    )
    if reason == "evicted" and not (before.cached or rule.seconds or rule.marked):
        return None  # nothing shows that this provider caches at all
    return CacheLoss(reason, lost, idle, text)


def _expect(before: Turn, rule: CacheRule) -> int:
    """The tokens that the turn before left in the cache: all of its input, or what it marked."""
    return before.cached if rule.marked and before.cached else before.total


def _find_request_cause(comparison: Comparison, before: Turn, turn: Turn, why_moved: str) -> tuple[Reason, str] | None:
    """The cause in what is sent, or where to."""
    if (before.backend, before.account) != (turn.backend, turn.account):
        why = f", {why_moved}" if why_moved else ""
        return "account", f"{before.backend}/{before.account} had the turn before{why}"
    if before.model != turn.model:
        return "settings", "model changed"
    change = comparison.change
    return None if change is None else (change.part, change.text)


def _find_cache_cause(before: Turn, turn: Turn, rule: CacheRule, idle: int) -> tuple[Reason, str] | None:
    """The cause in how the provider caches."""
    kept = HOUR if before.hour and rule.marked else rule.seconds
    if kept and idle > kept:
        return "expired", f"at least {kept // 60} min" if kept >= 60 else f"at least {kept} s"
    if before.total < rule.minimum:
        return "minimum", f"{before.total:,} of {rule.minimum:,} tokens"
    if not rule.marked:
        return None
    if not (before.marked and turn.marked):
        return "unmarked", "" if not turn.marked else "by the turn before"
    if rule.marks and turn.prompt.marks > rule.marks:
        return "lookback", f"{turn.prompt.marks:,} marks, and {rule.marks} are taken"
    old, new = before.prompt.conversation.marked, turn.prompt.conversation.marked
    if rule.lookback and old and new - old > rule.lookback:
        return "lookback", f"{new - old:,} blocks behind it, and {rule.lookback} are looked at"
    return None
