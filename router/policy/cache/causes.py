"""Why a prompt was not read from the provider's cache, though the turn before it should have left it there."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from router.backends.cache_rules import CacheRule, SeenLifetime
from router.policy.cache.prompt import asks_for_longer
from router.policy.cache.sessions import Comparison, Turn

#: Fewer tokens than these, or than a twentieth of what was expected, are no loss: entries end at borders of blocks.
LEAST, SHARE = 1024, 20

# The setting by which the provider itself takes out old tool results and reasoning, from which on nothing is cached.
_EDITS_BY_PROVIDER = "context_management"

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
    #: Tokens that would have had to be written for a longer time for the cache to have had them; None where none can
    #: be, or where that would not have sufficed.
    longer: int | None = None


class Circumstances(msgspec.Struct, frozen=True, gc=False):
    """What is known of a request beside its prompt."""

    #: Why the account is another one, in a word.
    why_moved: str = ""
    #: The client says that it shortened the conversation since the turn before.
    compacted: bool = False
    #: For how long the model's cache was seen to keep a prompt; None where nothing was, or the user says it.
    lifetime: SeenLifetime | None = None


USUAL = Circumstances()


def find_lost(before: Turn | None, turn: Turn, read: int, rule: CacheRule) -> int:
    """The tokens that a request lost, 0 for one that found what was expected. before: the turn before; None for none.
    turn: the request as it was answered. read: tokens that came from the cache."""
    if before is None:
        return 0
    expected = _expect(before, rule)
    if expected > turn.total:
        expected = turn.total
    lost = expected - read
    return lost if lost > LEAST and lost > expected // SHARE else 0


def explain_lost(
    comparison: Comparison, turn: Turn, lost: int, rule: CacheRule, known: Circumstances = USUAL
) -> CacheLoss | None:
    """Why a request lost tokens; None where the model may have no cache. The turn before is known."""
    before = comparison.previous
    if before is None:
        return None
    idle = find_idle(before, turn)
    reason, text = (
        _find_request_cause(comparison, before, turn, known)
        or _find_cache_cause(before, turn, rule, idle, known.lifetime)
        or ("edits" if before.edits != turn.edits else "evicted", "")
    )
    if reason == "evicted":
        if not (before.cached or rule.seconds or rule.marked):
            return None  # nothing shows that this provider caches at all
        if any(name == _EDITS_BY_PROVIDER for name, _ in turn.prompt.settings):
            text = f"{_EDITS_BY_PROVIDER} lets it clear parts of the prompt"
    longer = before.written if reason == "expired" and _would_keep(before, rule, idle) else None
    return CacheLoss(reason, lost, idle, text, longer)


def find_idle(before: Turn, turn: Turn) -> int:
    """Seconds between two turns, as providers count them: from the start of a request."""
    return max(0, round(turn.started - before.started))


def _would_keep(before: Turn, rule: CacheRule, idle: int) -> bool:
    """True where a prompt would have been there still, had its marks asked for the longer lifetime."""
    return rule.marked and not before.longer and before.written > 0 and idle <= rule.longer


def _expect(before: Turn, rule: CacheRule) -> int:
    """The tokens that the turn before left in the cache: all of its input, or what it marked."""
    return before.cached if rule.marked and before.cached else before.total


def _find_request_cause(
    comparison: Comparison, before: Turn, turn: Turn, known: Circumstances
) -> tuple[Reason, str] | None:
    """The cause in what is sent, or where to."""
    if (before.backend, before.account) != (turn.backend, turn.account):
        why = f", {known.why_moved}" if known.why_moved else ""
        return "account", f"{before.backend}/{before.account} had the turn before{why}"
    if before.model != turn.model:
        return "settings", "model changed"
    change = comparison.change
    if change is None:
        return None
    compacted = change.part == "messages" and (known.compacted or before.compacted)
    return change.part, f"compaction, {change.text}" if compacted else change.text


def _find_cache_cause(
    before: Turn, turn: Turn, rule: CacheRule, idle: int, seen: SeenLifetime | None
) -> tuple[Reason, str] | None:
    """The cause in how the provider caches."""
    expired = _find_expiry(before, rule, idle, seen)
    if expired:
        return "expired", expired
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


def _find_expiry(before: Turn, rule: CacheRule, idle: int, seen: SeenLifetime | None) -> str:
    """For how long the cache keeps a prompt, where that is less than the time since the turn before; '' else."""
    if rule.longer and (before.longer or asks_for_longer(before.prompt)):
        return f"at least {_format_seconds(rule.longer)}" if idle > rule.longer else ""
    kept = rule.seconds
    if kept and seen is not None and seen.kept > kept:
        if idle > seen.kept:
            return f"it was seen for {_format_seconds(seen.kept)}"
    elif kept and idle > kept:
        return f"at least {_format_seconds(kept)}"
    if seen is None or not 0 < seen.dropped <= idle:
        return ""
    there = f", and still there after {_format_seconds(seen.kept)}" if seen.kept else ""
    return f"it was gone after {_format_seconds(seen.dropped)} before{there}"


def _format_seconds(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
