"""Routing as a whole: what `explain` says is what a real request then meets; edits arrive, all else is untouched."""

import base64
import json
import os
import random
import shutil

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.settings.tables import BackendOptions, Condition, Edits, Rule

from .processes import Proxy, Threaded, add_backend, backend, until
from .samples import CHAT, EMBEDDINGS, MESSAGES, PROTOCOLS, RESPONSES
from .upstream import Upstream, hang, plain
from .wire import Client, ask, request

CATALOGS = {
    "alpha": ("m", "shared", "claude-opus-4-8", "gpt-5"),
    "beta": ("shared", "claude-opus-5", "claude-sonnet-4-6[1m]", "llama3:8b"),
    "opus": ("m", "sonnet", "claude-sonnet-4-6", "vendor/claude-opus-4.6"),
    "gpt": ("gpt-5-mini", "gpt-5"),
}
SAMPLES = {"messages": MESSAGES, "chat": CHAT, "responses": RESPONSES}
CLIENTS = {
    "": (),
    "claude-code": ((b"x-app", b"cli"), (b"X-Claude-Code-Session-Id", b"1")),
    "codex": ((b"originator", b"codex_exec"), (b"session-id", b"1"), (b"X-Old", b"1")),
}


class Site:
    """A proxy whose configuration changes under it, and an upstream for each of its backends."""

    def __init__(self, folder):
        self.upstreams = {name: Upstream(models=models) for name, models in CATALOGS.items()}
        self._log = folder / "access.log"
        self.folder = folder
        self._tables = {"demo": False}
        self.proxy = Threaded(folder, log_file=str(self._log), tables=self._tables)

    def stop(self):
        self.proxy.__exit__()
        for up in self.upstreams.values():
            up.stop()

    def configure(self, entries=(), **tables):
        """Let these backends and settings be the configuration, and wait until the catalogs are read."""
        runtime = self.proxy.serving.runtime
        folder = self.folder / "home" / "backends"
        shutil.rmtree(folder, ignore_errors=True)
        for entry in entries:
            add_backend(self.folder / "home", entry)
        for up in self.upstreams.values():
            up.seen.clear()

        if tables.get("default_backend") not in [entry["name"] for entry in entries if entry["enabled"]]:
            tables["default_backend"] = None  # a default nobody serves is refused as a whole
        self._tables.clear()
        self._tables.update({"demo": False}, **tables)
        self.proxy.call(runtime.refuses_usage.clear)
        done = self.proxy.call(self.proxy.serving.reload)
        assert until(done.is_set)
        assert until(lambda: not runtime.loading)
        assert not runtime.snapshot.problems

    def entry(self, name, **fields):
        """A backend file for one of the upstreams."""
        return backend(name, self.upstreams[name].root, **fields)

    def explain(self, **question):
        """What the operator is told."""
        token = (self.folder / "home" / "operator.token").read_bytes().strip()
        question["body"] = base64.b64encode(question.get("body", b"")).decode()
        data = json.dumps(question).encode()
        answer = ask(self.proxy.port, "/admin/explain", data, (b"Authorization", b"Bearer " + token))
        assert answer.status == 200, answer.body
        return answer.json()

    def send(self, protocol, body, *headers, spoken=None):
        """A real request, answered by whichever upstream gets it; spoken: in which protocol, if not in the same."""
        for up in self.upstreams.values():
            up.default = (plain((spoken or protocol).whole),)
        random.seed(os.urandom(8))  # hypothesis seeds it, which would make request ids repeat
        return ask(self.proxy.port, protocol.path, body, *headers)

    def noted(self, answer):
        """The log line of an answer."""
        wanted = answer.field(b"x-fairlead-request-id").decode()

        def found():
            lines = self._log.read_bytes().split(b"\n")[-50:-1] if self._log.exists() else []
            return next((entry for entry in map(json.loads, lines) if entry["id"] == wanted), None)

        return until(found)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(tmp_path_factory.mktemp("routing"))
    yield found
    found.stop()


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
    assert (noted["notes"], noted["route"], noted["sent_model"]) == (said["edits"], said["why"], said["sent_model"])
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


@pytest.mark.parametrize("protocol", [*PROTOCOLS, EMBEDDINGS], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_no_byte_changes_where_no_edit_applies(site, protocol, streamed):
    """With rules that look at everything, and edits of rules and backends that do not apply."""
    every = Edits(set_headers={"x-a": "1"}, set_fields={"a": 1}, max_tokens=1, effort="low")
    when = Condition(model="*", client="nobody", tokens_under=1, images=True, tools=True, thinking=True)
    site.configure(
        [site.entry("alpha"), site.entry("beta")],
        routes=(Rule(name="never", when=when, edits=every), Rule(name="always", backend="alpha")),
        backends={"beta": BackendOptions(edits=every)},
        aliases={"other": "m"},
    )
    body = protocol.body("m", stream=streamed and protocol is not EMBEDDINGS)
    assert site.send(protocol, body).status == 200
    assert site.upstreams["alpha"].seen[0].body == body
    assert site.upstreams["alpha"].seen[0].field(b"x-a") is None


@pytest.mark.parametrize("protocol", [*PROTOCOLS, EMBEDDINGS], ids=lambda protocol: protocol.name)
def test_an_alias_changes_the_name_alone(site, protocol):
    """The splice that a prefix gets, an alias gets too; only text generation is forced."""
    site.configure([site.entry("alpha"), site.entry("gpt")], aliases={"quick": "m"}, model="gpt:forced")
    body = protocol.body("Quick")
    answer = site.send(protocol, body)
    forced = protocol is not EMBEDDINGS
    assert answer.field(b"x-fairlead-model") == (b"forced" if forced else b"m")
    [seen] = site.upstreams["gpt" if forced else "alpha"].seen
    assert seen.body == body.replace(b'"Quick"', b'"forced"' if forced else b'"m"')


def test_edits_arrive(site):
    """Headers in their places, fields spliced, the cap lowered, and the rest byte for byte."""
    rule = Rule(
        name="all",
        edits=Edits(
            set_headers={"X-First": "new", "X-Last": "2"},
            remove_headers=("x-gone",),
            set_fields={"metadata.tag": "t"},
            remove_fields=("unknown",),
            effort="high",
        ),
    )
    site.configure(
        [site.entry("alpha", vendor="openai")],
        routes=(rule,),
        backends={"alpha": BackendOptions(edits=Edits(max_tokens=50, set_headers={"X-First": "old"}))},
    )
    turns = b'"messages":[{"content":"\\u00e9 "}]'
    body = b'{"model": "m", "unknown" : {"a":[1.0]},"metadata":{"n":1.0} , %b,"max_tokens":900}' % turns
    headers = ((b"x-FIRST", b"1"), (b"X-Gone", b"1"), (b"X-Kept", b"1"), (b"x-first", b"again"))
    answer = site.send(CHAT, body, *headers)
    [seen] = site.upstreams["alpha"].seen
    edited = b'{"reasoning_effort":"high","model": "m","metadata":{"n":1.0,"tag":"t"} , %b,"max_tokens":50}'
    assert seen.body == edited % turns
    names = [name for name, _ in seen.lines if name.lower().startswith(b"x-")]
    assert names == [b"X-First", b"X-Kept", b"X-Last"]
    assert (seen.field(b"x-first"), int(seen.field(b"content-length"))) == (b"new", len(seen.body))
    assert site.noted(answer)["notes"] == [
        "header x-first set",
        "header x-gone removed",
        "header x-last set",
        "field unknown removed",
        "field metadata.tag set",
        "effort high",
        "max_tokens lowered to 50",
    ]


def test_an_edit_is_told_once(site):
    """A rule and a backend's table that ask for the same impossible thing: one note, of explain and of the record."""
    edits = Edits(remove_headers=("content-length",))
    tables = {"routes": (Rule(name="all", edits=edits),), "backends": {"alpha": BackendOptions(edits=edits)}}
    site.configure([site.entry("alpha")], **tables)
    body = CHAT.body("m")
    told = site.explain(body=body, protocol=CHAT.name)["edits"]
    assert told == site.noted(site.send(CHAT, body))["notes"] == ["header content-length left alone"]


def test_headers_are_edited_without_a_body_too(site):
    """A GET that names no model goes to its backend with the backend's headers."""
    edits = Edits(set_headers={"X-Team": "red"}, set_fields={"a": 1})
    site.configure([site.entry("alpha")], backends={"alpha": BackendOptions(edits=edits)})
    site.upstreams["alpha"].default = (plain(b"{}"),)
    assert ask(site.proxy.port, "/v1/files/file-1").status == 200
    assert site.upstreams["alpha"].seen[0].field(b"x-team") == b"red"
    assert ask(site.proxy.port, "/v1/files", b'{"x":1}').status == 200
    assert site.upstreams["alpha"].seen[1].body == b'{"x":1}'


def test_accept_encoding(site):
    """ask_identity asks for plain answers; switched off, the caller's own wish goes up."""
    wish = (b"Accept-Encoding", b"gzip, br")
    for common, own, wanted in ((True, None, b"identity"), (False, None, wish[1]), (True, False, wish[1])):
        site.configure([site.entry("alpha")], ask_identity=common, backends={"alpha": BackendOptions(ask_identity=own)})
        site.send(CHAT, CHAT.body("m"), wish)
        assert site.upstreams["alpha"].seen[0].field(b"accept-encoding") == wanted


@pytest.mark.parametrize(
    ("limits", "streamed", "said"),
    [
        ({"total": 0.4}, False, "0.4 s (timeouts.total)"),
        ({"first_byte": 0.3}, True, "0.3 s (timeouts.first_byte)"),
    ],
)
def test_a_backend_s_own_deadlines(site, limits, streamed, said):
    """They stand in for the common ones, and the error names them."""
    site.configure([site.entry("alpha")], backends={"alpha": BackendOptions(**limits)})
    site.upstreams["alpha"].default = (hang,)
    answer = ask(site.proxy.port, CHAT.path, CHAT.body("m", stream=streamed))
    assert answer.status == 504
    assert said in answer.json()["error"]["message"]


def test_aliases_are_listed(site):
    """Those that something serves, as written, before the catalogs' names; they can be asked for one by one."""
    site.configure([site.entry("alpha")], aliases={"Fast": "m", "lost": "nowhere-to-go", "gpt-5": "shared"})
    names = [entry["id"] for entry in ask(site.proxy.port, "/v1/models").json()["data"]]
    assert names == ["Fast", "gpt-5", "m", "shared", "claude-opus-4-8"]
    assert ask(site.proxy.port, "/v1/models/Fast").json()["owned_by"] == "alpha"


def test_a_prefixed_model_is_found(site):
    """A name that can be asked for can be looked up: with the prefix of the backend that lists it, not of another."""
    site.configure([site.entry("alpha"), site.entry("beta")])
    listed = ask(site.proxy.port, "/v1/models").json()["data"]
    owner = {entry["id"]: entry["owned_by"] for entry in listed}["m"]
    for name in (f"{owner}:m", f"{owner.upper()}:m"):
        assert ask(site.proxy.port, f"/v1/models/{name}").json() == {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": owner,
        }
    for name in (f"{owner}:nothing", "nobody:m", ":m", f"{owner}:"):
        assert ask(site.proxy.port, f"/v1/models/{name}").status == 404, name


def test_large_bodies_are_looked_into(site):
    """Images in a body of several megabytes are seen, and requests are not held up while they are looked for."""
    rule = Rule(name="pictures", when=Condition(images=True), backend="beta")
    site.configure([site.entry("alpha"), site.entry("beta")], routes=(rule,))
    picture = {"type": "image", "source": {"type": "base64", "data": "A" * (3 << 20)}}
    for blocks, wanted in (([picture], b"beta"), ([{"type": "text", "text": json.dumps(picture)}], b"alpha")):
        body = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": blocks}]}).encode()
        assert site.send(MESSAGES, body).field(b"x-fairlead-backend") == wanted
        assert site.explain(body=body, protocol="messages")["backend"].encode() == wanted


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


def test_a_shortcut_waits_for_the_catalogs(tmp_path):
    """A request of the first second is not given the second newest because the newest is still on its way."""
    slow = Upstream(models=["claude-opus-5"])
    quick = Upstream(models=["claude-opus-4-8"])
    slow.listed.clear()
    slow.script(plain(MESSAGES.whole))
    try:
        with Proxy(tmp_path, backends=[backend("quick", quick.root), backend("slow", slow.root)]) as proxy:
            proxy.settled("quick")
            with Client(proxy.port) as client:
                client.send(request(MESSAGES.path, MESSAGES.body("opus")))
                proxy.settled("quick")  # by then the request has been looked at
                slow.listed.set()
                answer = client.answer()
            assert (answer.field(b"x-fairlead-backend"), answer.field(b"x-fairlead-model")) == (
                b"slow",
                b"claude-opus-5",
            )
    finally:
        slow.stop()
        quick.stop()
