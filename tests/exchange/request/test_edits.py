"""The edits of a passed-through body: the notes name each, and all other bytes stay."""

import json

import pytest

from router.backends import Backend
from router.exchange.request.edits import edit
from router.policy.routing.routes import Route
from router.settings import Settings
from router.store.config import backends
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.wire import calls
from router.wire.raw.json.top_level import peek

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
ASK = b'"stream_options":{"include_usage":true}'
BILLING = "x-anthropic-billing-header: cc_version=2.1; cch=00000;"


@pytest.fixture
def edited(home, silent_log):
    """Edits a body on its way to a backend of some vendor: the bytes, what was noted, whether usage is hidden."""

    def run(body, path, *, model="m", why="catalog", vendor="", probe=False):
        stored = Backend(name="up", root="https://up.example/v1", protocols=("messages", "chat"), vendor=vendor)
        backends.save(home, stored)
        target = compose(read(home, Settings()), home, silent_log).snapshot.targets["up"]
        notes = []
        done = edit(
            body,
            peek(body),
            call=calls.call(path),
            route=Route(target.backend, model, why, renamed=why == "prefix"),
            target=target,
            probe=probe,
            notes=notes,
        )
        assert done.probed == done.hide_usage
        return b"".join(done.parts), notes, done.hide_usage

    return run


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES, "/v1/embeddings"])
@pytest.mark.parametrize("why", ["catalog", "family", "default"])
def test_a_body_passes_as_it_is(edited, path, why):
    """Odd spacing, unknown fields and all."""
    body = b'{ "model" : "m",\n  "x-unknown": [1, {"y": null}], "messages": [], "system": "s"}'
    assert edited(body, path, why=why) == (body, [], False)


def test_a_prefix_is_taken_off(edited):
    """The model's new name in place of the old, JSON-encoded, and a note of it."""
    body = b'{"model":"up:m","messages":[]}'
    wanted = b'{"model":"a\\"b","messages":[]}'
    assert edited(body, CHAT, model='a"b', why="prefix") == (wanted, ["model renamed"], False)


@pytest.mark.parametrize(
    ("body", "wanted", "asked"),
    [
        (b'{"model":"m"}', b"{" + ASK + b',"model":"m"}', True),
        (b'{"model":"m","stream_options":null}', b'{"model":"m",' + ASK + b"}", True),
        (b'{"model":"m","stream_options":{}}', b'{"model":"m",' + ASK + b"}", True),
        (b'{"model":"m","stream_options":{"include_usage":false}}', b'{"model":"m",' + ASK + b"}", True),
        (
            b'{"stream_options": {"a": 1}, "model": "m"}',
            b'{"stream_options": {"a":1,"include_usage":true}, "model": "m"}',
            True,
        ),
        (b'{"model":"m","stream_options":{"include_usage":true}}', None, False),
    ],
)
def test_usage_is_asked_for(edited, body, wanted, asked):
    """Spliced in where absent, replaced where it says otherwise, left alone where the client asked itself."""
    new, notes, hidden = edited(body, CHAT, probe=True)
    assert new == (wanted or body)
    assert hidden is asked
    assert notes == (["usage asked for"] if asked else [])


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES, "/v1/completions", "/v1/embeddings"])
def test_usage_is_asked_for_on_chat_alone(edited, path):
    """The other protocols report it unasked, or do not know the field."""
    body = b'{"model":"m"}'
    assert edited(body, path, probe=True) == (body, [], False)


KEPT = {"type": "text", "text": "a", "cache_control": {}}
LINE = {"type": "text", "text": BILLING}
SYSTEMS = [
    (f"{BILLING}\nBe kind.", "Be kind."),
    (BILLING, ""),
    ([LINE, KEPT], [KEPT]),
    ([KEPT, LINE, {"type": "text", "text": BILLING + "x"}], [KEPT]),
    ([LINE], []),
]


@pytest.mark.parametrize(("system", "wanted"), SYSTEMS)
def test_a_foreign_billing_line_is_stripped(edited, system, wanted):
    """Claude Code's line of each conversation goes to Anthropic alone; elsewhere it spoils the prefix cache."""
    body = json.dumps({"model": "m", "system": system, "messages": []}).encode()
    new, notes, _ = edited(body, MESSAGES)
    assert json.loads(new) == {"model": "m", "system": wanted, "messages": []}
    assert notes == ["attribution stripped"]
    assert edited(body, MESSAGES, vendor="anthropic") == (body, [], False)
    assert edited(body, CHAT) == (body, [], False)


@pytest.mark.parametrize(
    "system",
    [
        None,
        5,
        "Be kind.",
        f"Quote: {BILLING}",
        [],
        [{"type": "text", "text": f"It says {BILLING}"}],
        [[BILLING]],
        [BILLING],
        {"text": BILLING},
    ],
)
def test_text_that_only_mentions_the_line_stays(edited, system):
    """A request without a system prompt stays as it is, too."""
    body = json.dumps({"model": "m", "system": system}).encode()
    assert edited(body, MESSAGES) == (body, [], False)


def test_several_edits_are_all_noted(edited):
    """In one pass, in the order of the list."""
    body = b'{"model":"up:m","stream":true}'
    new, notes, hidden = edited(body, CHAT, why="prefix", probe=True)
    assert new == b"{" + ASK + b',"model":"m","stream":true}'
    assert notes == ["model renamed", "usage asked for"]
    assert hidden
