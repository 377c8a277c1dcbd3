"""What `explain` says is what a real request then meets: backend, model, edits and refusals."""

import json

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.settings.tables import BackendOptions, Condition, Edits, Rule

from .samples import CHAT, MESSAGES, RESPONSES
from .sites import CATALOGS
from .wire import ask

SAMPLES = {"messages": MESSAGES, "chat": CHAT, "responses": RESPONSES}
CLIENTS = {
    "": (),
    "claude-code": ((b"x-app", b"cli"), (b"X-Claude-Code-Session-Id", b"1")),
    "codex": ((b"originator", b"codex_exec"), (b"session-id", b"1"), (b"X-Old", b"1")),
}
MODELS = st.sampled_from(
    ["m", "shared", "opus", "opus[1m]", "Sonnet", "sonnet46[1m]", "opus46", "gpt-5", "gpt-5-mini", "GPT", "llama3:8b",
     "opus:m", "ALPHA:opus", "beta:claude-opus-5[1m]", "claude:x", "claude-opus-9", "unheard-of", "fast", "a", "b",
     "gpt:", "é[1m]", "haiku"]
)  # fmt: skip
NAMES = st.sampled_from(list(CATALOGS))
EDITS = st.builds(
    Edits,
    set_headers=st.dictionaries(st.sampled_from(["X-New", "x-app", "Host", "authorization"]), st.just("v"), max_size=2),
    remove_headers=st.lists(st.sampled_from(["x-old", "X-App", "content-length"]), max_size=2).map(tuple),
    set_fields=st.dictionaries(
        st.sampled_from(["new", "metadata.tag", "max_tokens", "model", "stream_options.x", "messages.x"]),
        st.sampled_from([1, "x", None, {"a": [1.5]}]),
        max_size=2,
    ),
    remove_fields=st.lists(st.sampled_from(["metadata", "thinking.type", "system", "x"]), max_size=2).map(tuple),
    effort=st.none() | st.sampled_from(["none", "minimal", "high"]),
    max_tokens=st.none() | st.sampled_from([1, 100, 10**6]),
)


def mostly(usual, strategy):
    """The usual value in three of four cases."""
    return st.one_of(st.just(usual), st.just(usual), st.just(usual), strategy)


CONDITIONS = st.builds(
    Condition,
    model=mostly("", st.sampled_from(["*", "claude-*", "*[1m]", "m", "GPT-?"])),
    protocol=mostly("", st.sampled_from(["messages", "chat"])),
    client=mostly("", st.sampled_from(["claude-code", "codex", "nobody"])),
    tokens_over=mostly(None, st.sampled_from([0, 60, 10**6])),
    tokens_under=mostly(None, st.just(60)),
    tools=mostly(None, st.booleans()),
    images=mostly(None, st.booleans()),
    thinking=mostly(None, st.booleans()),
)
RULES = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["one", "two"]),
        when=CONDITIONS,
        backend=st.one_of(NAMES, NAMES, st.just(""), st.just("nowhere")),
        model=mostly("", MODELS),
        edits=st.one_of(st.just(Edits()), EDITS),
    ),
    min_size=1,
    max_size=4,
)
FLAGS = st.none() | st.booleans()
OPTIONS = st.builds(
    BackendOptions, usage_probe=FLAGS, ask_identity=FLAGS, strip_attribution=FLAGS, edits=mostly(Edits(), EDITS)
)
TABLES = st.fixed_dictionaries(
    {
        "aliases": st.dictionaries(st.sampled_from(["fast", "A", "b", "gpt-5", "opus"]), MODELS, max_size=3),
        "routes": st.one_of(RULES, RULES, st.just(())).map(tuple),
        "backends": st.dictionaries(NAMES, OPTIONS, max_size=2),
        "model": mostly(None, MODELS),
        "fast_model": mostly(None, MODELS),
        "default_backend": mostly("beta", st.none() | NAMES),
        "usage_probe": st.booleans(),
        "strip_attribution": st.booleans(),
    }
)
ENTRY = st.fixed_dictionaries(
    {
        "vendor": st.sampled_from(["", "openai", "anthropic"]),
        "protocols": mostly(list(SAMPLES), st.lists(st.sampled_from(list(SAMPLES)), min_size=1, unique=True)),
        "enabled": mostly(True, st.just(False)),
        "added": st.integers(0, 3),
    }
)
# Few are missing: a request that nothing serves shows little.
ENTRIES = st.fixed_dictionaries(dict.fromkeys(CATALOGS, st.one_of(ENTRY, ENTRY, ENTRY, ENTRY, st.none())))
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2;"}
PARTS = st.lists(
    st.sampled_from(
        [
            {"tools": [{"name": "t"}]},
            {"thinking": {"type": "adaptive"}},
            {"reasoning_effort": "low"},
            {"reasoning": {"effort": "low"}},
            {"max_tokens": 500},
            {"max_completion_tokens": 9},
            {"max_output_tokens": 500},
            {"metadata": {"user_id": "u", "n": 1.0}},
            {"metadata": 5},
            {"system": [BILLING, {"type": "text", "text": "Be kind."}]},
            {"stream": True},
            {"stream_options": {"include_usage": True}},
            {"stream_options": None},
        ]
    ),
    max_size=5,
)
BLOCKS = st.sampled_from(
    [{"type": "text", "text": "an image"}, {"type": "image"}, {"type": "image_url"}, {"type": "input_image"}]
)
DOUBLED = b'"max_tokens":7,"max_tokens" : 8,'
REQUESTS = st.tuples(st.sampled_from(list(SAMPLES)), MODELS, PARTS, BLOCKS, st.sampled_from(list(CLIENTS)),
                     st.sampled_from([b"", b"", b"", DOUBLED]))  # fmt: skip


def made(protocol, model, parts, block, extra):
    """A request's body, laid out as no encoder of ours would."""
    fields = {"model": model}
    for part in parts:
        fields |= part
    fields["input" if protocol == "responses" else "messages"] = [{"role": "user", "content": [block]}]
    if extra:
        fields.pop("max_tokens", None)
    return b"{ " + extra + json.dumps(fields, separators=(" ,", " : ")).encode()[1:]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES, TABLES, REQUESTS)
def test_explain_is_what_happens(site, entries, tables, asked):
    """Backend, model, edits and refusals: said beforehand, and seen by the upstream, the client and the log."""
    protocol, model, parts, block, client, extra = asked
    site.configure([site.entry(name) | entry for name, entry in entries.items() if entry is not None], **tables)
    body = made(protocol, model, parts, block, extra)
    headers = CLIENTS[client]
    said = site.explain(
        body=body, protocol=protocol, headers=[(name.decode(), value.decode()) for name, value in headers]
    )
    assert not any(up.seen for up in site.upstreams.values()), "explain sends nothing"
    spoken = SAMPLES[said["translation"].partition("->")[2] or protocol]
    answer = site.send(SAMPLES[protocol], body, *headers, spoken=spoken)
    seen = {name: up.seen for name, up in site.upstreams.items() if up.seen}
    hypothesis.event(f"{said['status'] or 'sent'}, {said['why']}, {len(said['edits'])} edits")
    if said["status"]:
        assert (answer.status, answer.json()["error"]["message"]) == (said["status"], said["error"])
        assert not seen
        return
    assert (answer.status, list(seen)) == (200, [said["backend"]])
    [request] = seen[said["backend"]]
    assert answer.field(b"x-fairlead-backend").decode() == said["backend"]
    assert json.loads(request.body)["model"] == said["sent_model"]
    noted = site.noted(answer)
    # What an answer loses is known when it is there.
    notes = [one for one in noted["notes"] if not one.startswith("answer lost ")]
    assert (notes, noted["route"], noted["sent_model"]) == (said["edits"], said["why"], said["sent_model"])
    translated = answer.field(b"x-fairlead-translation")
    assert (translated or b"").decode() == said["translation"]
    if not any(note for note in said["edits"] if "left alone" not in note):
        assert request.body == body
    for note in said["edits"]:
        what, name, *outcome = note.split(" ", 2)
        if what == "header" and outcome == ["set"]:
            assert request.field(name.encode()) == b"v"
        elif what == "header" and outcome == ["removed"]:
            assert request.field(name.encode()) is None


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b'{"model":5}', b'{"body":"%"}', b'{"protocol":"x","model":"m"}', b"\xff"]
)
def test_a_question_that_is_none(site, data):
    """400, and it takes the operator's token."""
    site.configure([site.entry("alpha")])
    assert ask(site.proxy.port, "/admin/explain", data).status == 401
    token = (site.folder / "home" / "operator.token").read_bytes().strip()
    assert ask(site.proxy.port, "/admin/explain", data, (b"Authorization", b"Bearer " + token)).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b'{"model":"m","model":"n"}', 400),
        (b"{}", 400),
        (b'{"model":"x"}', 404),
        (b"\xff", 400),
    ],
)
def test_explain_refuses_as_the_proxy_does(site, body, status):
    """A body that is wrong is told the same words."""
    site.configure([site.entry("alpha")])
    said = site.explain(body=body)
    answer = site.send(CHAT, body)
    assert (said["status"], said["error"]) == (answer.status, answer.json()["error"]["message"])
    assert answer.status == status
