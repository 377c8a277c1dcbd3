"""What tells one conversation from another."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.policy.accounts.session_key import HEADERS, TEXT_LIMIT, derive_session, find_family
from router.wire.raw.json.top_level import peek

TURN = {"messages": [{"role": "user", "content": "hello"}]}


def session(body=None, **fields):
    top = None if body is None else peek(json.dumps(body).encode())
    return derive_session({name.replace("_", "-").encode(): value for name, value in fields.items()}, top)


@pytest.mark.parametrize("name", [name.decode() for name in HEADERS])
def test_headers(name):
    """Each client's session header tells sessions apart, whatever the first message is."""
    first, same, other = (session(TURN, **{name: value}) for value in (b"a", b"a", b"b"))
    assert first == same != other
    assert first != session(TURN)


def test_order():
    """A header comes before the cache key, that before the user, that before the text."""
    user = {"user_id": "user_0a_account__session_01234567-89ab"}
    body = {**TURN, "prompt_cache_key": "k", "metadata": user}
    assert session(body, session_id=b"x") == session(TURN, session_id=b"x")
    assert session(body) == session({"prompt_cache_key": "k"})
    assert session({**TURN, "metadata": user}) == session({"metadata": user})


def test_claude_code():
    """The session inside metadata.user_id, in both forms Claude Code has had."""
    old = [{"metadata": {"user_id": f"user_0a_account__session_{name}"}} for name in ("01234567", "76543210")]
    new = [{"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": name})}} for name in ("x", "y")]
    assert len({session(body) for body in (*old, *new)}) == 4


@pytest.mark.parametrize("user", ["", "me", "{", "{}", "[1]", '{"session_id": 5}', "session_x", "x" * 5000, None, 5])
def test_users_without_a_session(user):
    """A user that shows no session leaves it to the text."""
    assert session({**TURN, "metadata": {"user_id": user}}) == session(TURN)


def test_first_texts():
    """The leading system and first user text tell sessions apart; what comes later does not."""
    later = {"messages": [*TURN["messages"], {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]}
    assert session(TURN) == session(later)
    assert session(TURN) != session({"messages": [{"role": "user", "content": "other"}]})
    assert session({"system": "a", **TURN}) != session({"system": "b", **TURN})
    assert session({"instructions": "a", "input": "hi"}) != session({"instructions": "a", "input": "ho"})


def test_cache_marks_are_no_text():
    """A cache marker that moves on does not make another session."""
    plain = [{"type": "text", "text": "hello"}]
    marked = [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
    bodies = [{"messages": [{"role": "user", "content": content}]} for content in (plain, marked, "hello")]
    assert len({session(body) for body in bodies}) == 1


def test_text_is_cut():
    """Only the first 4 KB count."""
    long = "x" * TEXT_LIMIT
    first, second = ({"messages": [{"role": "user", "content": long + end}]} for end in ("a", "b"))
    assert session(first) == session(second)


def test_nothing_to_go_by():
    """A request that shows no session has none."""
    assert session() == session({}) == session({"messages": []}) == session({"input": []}) == ""


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "text"]), inner),
    max_leaves=8,
)
_NAMES = st.sampled_from(["messages", "input", "system", "instructions", "metadata", "prompt_cache_key"])


# How fast bodies are made says how busy the machine is, and nothing of a session.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_NAMES, _JSON))
def test_any_body(body):
    """Whatever a body holds, a session is 16 hex digits or nothing, and the same each time."""
    found = session(body)
    assert found == session(body)
    assert len(found) in (0, 16)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        *(("claude-opus-5", "opus"), ("anthropic/Claude-Sonnet-5", "sonnet"), ("haiku", "haiku"), ("gpt-5", "")),
        *(("qwen/qwen3:free", ":free"), ("free", ""), (None, "")),
    ],
)
def test_families(model, family):
    """The family a provider may limit by itself."""
    assert find_family(model) == family
