"""The entries of the protocols, and the registration of a further one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.backends import PROTOCOLS
from router.backends.known import KNOWN
from router.policy.accounts.verdict import read_cooldown
from router.wire import calls, protocols
from router.wire.detect import protocol_of, usual_protocols
from router.wire.headers import rate_limits
from router.wire.raw.json.top_level import peek

from ..toy import TOY


@pytest.fixture
def toy():
    """The toy protocol, for as long as a test runs."""
    protocols.add(TOY)
    yield TOY
    protocols.remove("toy")


def test_the_names_are_those_that_backends_may_have():
    """The names agree with `backends.PROTOCOLS` in order and API, so that files are checked without loading a codec."""
    assert {name: entry.api for name, entry in protocols.BY_NAME.items()} == PROTOCOLS
    assert list(protocols.BY_NAME) == list(PROTOCOLS)
    assert {name for entry in KNOWN.values() for name in entry.protocols} <= set(PROTOCOLS)


@pytest.mark.parametrize("name", protocols.BY_NAME)
def test_an_entry_is_of_one_piece(name):
    """Each entry's names agree, its paths lead back to it, and its smallest request is recognised as its own."""
    entry = protocols.BY_NAME[name]
    assert entry.name == entry.dialect.name == name
    found = calls.call(entry.path_for("m", stream=False))
    assert (found.entry, found.protocol, found.generates, found.asks_model) == (entry, name, True, True)
    assert calls.call(entry.prefix + "x/y").protocol == name
    if entry.count is not None:
        counting = calls.call(entry.count.path)
        assert (counting.entry, counting.counts, counting.generates) == (entry, True, False)
    tiny = entry.tiny_request("claude-x" if name == "messages" else "m", entry.cap_for(newest=False))
    assert protocol_of(peek(json.dumps(tiny).encode()), {}) == name
    assert entry.conversation in tiny


def test_a_further_protocol_is_known_everywhere_until_it_is_taken_away(toy):
    """A registered protocol is found by name, paths, limits and fields; another of the same name is refused."""
    assert PROTOCOLS["toy"] is toy.api
    assert calls.canonical("/toy/m") == "/v1/toy/m"
    assert calls.call("/v1/toy/m:stream").entry is toy
    assert calls.operation("/v1/toy/m") == "chat"
    assert protocol_of(peek(b'{"turns":[]}'), {}) == "toy"
    assert usual_protocols("m") == ["chat", "messages", "responses", "gemini", "toy"]
    assert "turns" in protocols.conversations()
    fields = {b"toy-limit-tokens-limit": b"4", b"toy-limit-tokens-remaining": b"1"}
    assert rate_limits.billing_and_usage(fields).used == 0.75
    assert read_cooldown({}, b'{"trouble":{"word":"pay"}}', "").kind == "quota"
    with pytest.raises(ValueError, match="there is a protocol toy"):
        protocols.add(toy)
    protocols.remove("toy")
    assert "toy" not in PROTOCOLS
    assert calls.call("/v1/toy/m").protocol is None
    assert rate_limits.billing_and_usage(fields).used is None
    protocols.add(toy)


@given(model=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), stream=st.booleans())
def test_a_model_in_the_path(model, stream):
    """Any model's name put into a path is read back from it, with the stream flag."""
    protocols.add(TOY)
    try:
        found = calls.call(TOY.path_for(model, stream=stream))
        assert (found.model, found.stream, found.entry) == (model, stream, TOY)
        assert found.path.isascii()
        assert calls.call(found.path_with("other/one")).model == "other/one"
        assert calls.call(found.path_with("other/one")).stream is stream
        assert found.path_with(None) == found.path
    finally:
        protocols.remove("toy")


def test_paths_of_no_protocol():
    """Paths of no protocol have the form of the common API, unless a header marks another, and are not edited."""
    assert calls.call("/v1/files").entry is protocols.OTHERS
    assert calls.call("/v1/files", {b"anthropic-version": b"1"}).entry is protocols.MESSAGES
    for entry in (protocols.OTHERS, protocols.EMBEDDINGS, protocols.COMPLETIONS):
        assert (entry.name, entry.ask_usage, entry.effort, entry.issues, entry.stored) == ("", None, None, None, None)
