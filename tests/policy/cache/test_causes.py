"""Which cause a loss has: the first that holds, in their order; and what is no loss."""

from array import array

import msgspec
import pytest

from router.backends.cache_rules import CacheRule, SeenLifetime, find_cache_rule
from router.policy.cache.causes import LEAST, WORDS, Circumstances, Reason, explain_lost, find_lost
from router.policy.cache.conversation import Conversation
from router.policy.cache.prompt import NO_PARTS, Change, Prompt
from router.policy.cache.sessions import Comparison, Turn

CLAUDE = find_cache_rule("claude-sonnet-4-6")
OPEN = find_cache_rule("gpt-5")
UNKNOWN = CacheRule()


def prompt(*, marks=1, marked=1, settings=()):
    conversation = Conversation(array("q"), 0, 0, (), 0, 0, marks, marked, 9)
    return Prompt(NO_PARTS, NO_PARTS, conversation, settings, marks)


def turn(**fields):
    usual = {"backend": "b", "account": "a", "model": "m", "edits": 0, "started": 1000.0, "total": 20_000}
    cached = {"cached": 20_000, "longer": False, "written": 20_000, "window": 0, "marked": True}
    return Turn(**{**usual, **cached, "prompt": prompt(), **fields})


BEFORE, AFTER = turn(), turn(started=1060.0, total=21_000)
OTHER = Change("tools", "x added")


def found(before=BEFORE, after=AFTER, *, read=0, rule=CLAUDE, change=None, **how):
    lost = find_lost(before, after, read, rule)
    comparison = Comparison("k", after.prompt, before, change)
    return explain_lost(comparison, after, lost, rule, Circumstances(**how)) if lost else None


# In the order of the causes: what makes each hold, cumulatively from the last to the first.
ORDER = [
    ("evicted", {}, {}, None),
    ("edits", {}, {"edits": 1}, None),
    ("lookback", {}, {"prompt": prompt(marked=30)}, None),
    ("unmarked", {}, {"marked": False}, None),
    ("minimum", {"total": 1020 + LEAST}, {}, None),
    ("expired", {}, {"started": 1301.0}, None),
    ("tools", {}, {}, OTHER),
    ("settings", {}, {"model": "other"}, None),
    ("account", {}, {"account": "other"}, None),
]


def test_the_first_cause_that_holds_counts():
    """Each one, with all those behind it in the order holding too."""
    before, after, change = BEFORE, AFTER, None
    rule = msgspec.structs.replace(CLAUDE, minimum=4096)
    for reason, earlier, later, changed in ORDER:
        before = msgspec.structs.replace(before, **earlier)
        after = msgspec.structs.replace(after, **later)
        change = changed or change
        if reason == "minimum":
            before = msgspec.structs.replace(before, cached=0)
        assert found(before, after, rule=rule, change=change).reason == reason
    assert {*Reason.__args__} == {*WORDS}


@pytest.mark.parametrize(
    ("read", "lost"), [(20_000, None), (19_000, None), (18_976, None), (18_975, 1025), (0, 20_000)]
)
def test_a_little_is_no_loss(read, lost):
    """Entries end at the borders of blocks."""
    loss = found(read=read)
    assert (None if loss is None else loss.tokens) == lost


def test_of_a_large_prompt_a_twentieth_is_little():
    """It is a share there."""
    before, after = turn(cached=100_000, total=100_000), turn(total=101_000)
    assert found(before, after, read=95_000) is None
    assert found(before, after, read=94_999).tokens == 5001


def test_no_more_is_lost_than_was_sent():
    """A conversation that was cut short lost what it now sends."""
    assert found(BEFORE, turn(total=5000), change=Change("messages", "")).tokens == 5000


@pytest.mark.parametrize(
    ("rule", "cached", "expected"), [(CLAUDE, 8000, 8000), (CLAUDE, 0, 20_000), (OPEN, 8000, 20_000)]
)
def test_what_is_expected(rule, cached, expected):
    """Where only what is marked is cached, that; else all of the turn before."""
    assert found(turn(cached=cached), rule=rule).tokens == expected


#: Settings that ask for the longer lifetime, as `read_settings` gives them.
DAY = prompt(settings=(("prompt_cache_retention", hash(b'"24h"')),))


@pytest.mark.parametrize(
    ("idle", "before", "rule", "reason"),
    [
        (300, {}, CLAUDE, "evicted"),
        (301, {}, CLAUDE, "expired"),
        (3600, {"longer": True}, CLAUDE, "evicted"),
        (3601, {"longer": True}, CLAUDE, "expired"),
        (301, {}, OPEN, "expired"),
        (86_400, {"prompt": DAY}, OPEN, "evicted"),
        (86_401, {"prompt": DAY}, OPEN, "expired"),
        (10**6, {}, UNKNOWN, "evicted"),
    ],
)
def test_lifetimes(idle, before, rule, reason):
    """By the rule, and for the longer time where the session asked for that."""
    loss = found(turn(**before), turn(started=1000.0 + idle), rule=rule)
    assert (loss.reason, loss.idle) == (reason, idle)


SEEN, LONG, SHORT = SeenLifetime(480, 1200, 0.0), SeenLifetime(2400, 0, 0.0), SeenLifetime(0, 90, 0.0)


@pytest.mark.parametrize(
    ("idle", "lifetime", "rule", "reason", "text"),
    [
        (1199, SEEN, UNKNOWN, "evicted", ""),
        (1200, SEEN, UNKNOWN, "expired", "it was gone after 20 min before, and still there after 8 min"),
        (90, SHORT, CLAUDE, "expired", "it was gone after 1 min before"),
        (89, SHORT, CLAUDE, "evicted", ""),
        (2400, LONG, OPEN, "evicted", ""),
        (2401, LONG, OPEN, "expired", "it was seen for 40 min"),
        (10**6, LONG, UNKNOWN, "evicted", ""),
        (301, None, OPEN, "expired", "at least 5 min"),
    ],
)
def test_what_was_seen_of_a_cache_counts_before_the_rule(idle, lifetime, rule, reason, text):
    """A cache that kept or dropped a prompt shows more than what is documented, and all where nothing is."""
    loss = found(turn(), turn(started=1000.0 + idle), rule=rule, lifetime=lifetime)
    assert (loss.reason, loss.text) == (reason, text)


@pytest.mark.parametrize(
    ("idle", "before", "rule", "longer"),
    [
        (720, {}, CLAUDE, 20_000),
        (720, {"written": 31_000}, CLAUDE, 31_000),
        (3600, {}, CLAUDE, 20_000),
        (3601, {}, CLAUDE, None),
        (300, {}, CLAUDE, None),
        (3601, {"longer": True}, CLAUDE, None),
        (720, {"written": 0}, CLAUDE, None),
        (720, {}, OPEN, None),
    ],
)
def test_what_would_have_been_written_for_longer(idle, before, rule, longer):
    """All that the session has written until then, where the longer lifetime would have sufficed and is paid for."""
    assert found(turn(**before), turn(started=1000.0 + idle), rule=rule).longer == longer


REWRITTEN = Change("messages", "message 1 (user)")


@pytest.mark.parametrize(
    ("before", "how", "change", "text"),
    [
        ({}, {}, REWRITTEN, "message 1 (user)"),
        ({}, {"compacted": True}, REWRITTEN, "compaction, message 1 (user)"),
        ({"compacted": True}, {}, REWRITTEN, "compaction, message 1 (user)"),
        ({}, {"compacted": True}, OTHER, "x added"),
    ],
)
def test_a_compaction_is_told_where_the_conversation_was_rewritten(before, how, change, text):
    """By what the client says of this request, or of one that asked for a summary since the turn before."""
    assert found(turn(**before), change=change, **how).text == text


def test_edits_of_the_provider_are_named_where_nothing_else_explains_a_loss():
    """A request that lets it clear old parts may have lost what is behind them."""
    after = turn(started=1060.0, total=21_000, prompt=prompt(settings=(("context_management", 7),)))
    assert (found(after=after).reason, found(after=after, change=OTHER).text) == ("evicted", "x added")
    assert found(after=after).text == "context_management lets it clear parts of the prompt"


def test_the_first_turn_lost_nothing():
    """There is nothing to compare it to."""
    assert found(None) is None


def test_a_provider_that_never_cached_evicted_nothing():
    """Where no rule is known and no token ever came from a cache, there may be none; a change is told all the same."""
    assert found(turn(cached=0), rule=UNKNOWN) is None
    assert found(turn(cached=0), rule=UNKNOWN, change=OTHER).reason == "tools"


def test_why_an_account_was_left_is_said():
    """In a word of the caller's."""
    assert found(after=turn(account="c", total=21_000), why_moved="limit").text == "b/a had the turn before, limit"


@pytest.mark.parametrize(
    ("model", "seconds", "minimum", "marked"),
    [
        ("claude-opus-5", 300, 512, True),
        ("claude-opus-5-5", 300, 512, True),
        ("claude-haiku-5-5", 300, 512, True),
        ("anthropic/claude-fable-5.1", 300, 512, True),
        ("claude-sonnet-5", 300, 1024, True),
        ("claude-sonnet-4-6", 300, 1024, True),
        ("claude-opus-4-8", 300, 1024, True),
        ("claude-opus-4-7", 300, 2048, True),
        ("claude-opus-4.6", 300, 4096, True),
        ("claude-haiku-4-5-20251001", 300, 4096, True),
        ("gpt-5.6", 1800, 1024, False),
        ("gpt-5.10-codex", 1800, 1024, False),
        ("gpt-6", 1800, 1024, False),
        ("gpt-5", 300, 1024, False),
        ("gpt-5.5-mini", 300, 1024, False),
        ("o3", 300, 1024, False),
        ("gpt-oss-120b", 0, 0, False),
        ("gemini-2.5-pro", 0, 2048, False),
        ("gemini-3.1-flash", 0, 4096, False),
        ("deepseek-chat", 0, 0, False),
        ("", 0, 0, False),
    ],
)
def test_rules(model, seconds, minimum, marked):
    """As the providers document them; what a user says of a backend holds in their place."""
    rule = find_cache_rule(model)
    assert (rule.seconds, rule.minimum, rule.marked) == (seconds, minimum, marked)
    own = find_cache_rule(model, 60, 7)
    assert (own.seconds, own.minimum, own.marked) == (60, 7, marked)
