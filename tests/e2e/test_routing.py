"""Routing as a whole: rules, aliases and edits arrive where they apply, and all else is untouched."""

import json

import pytest

from router.settings.tables import BackendOptions, Condition, Edits, Rule

from .processes import Proxy, backend
from .samples import CHAT, EMBEDDINGS, MESSAGES, PROTOCOLS
from .upstream import Upstream, hang, plain
from .wire import Client, ask, request


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
    assert answer.field(b"x-fairlead-rule") == b"all"
    assert site.noted(answer)["notes"] == [
        'rule "all"',
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
    assert told == site.noted(site.send(CHAT, body))["notes"] == ['rule "all"', "header content-length left alone"]


RENAMED = [
    ("quick", {"aliases": {"quick": "m"}}, "model renamed by alias quick", None),
    ("old", {"routes": (Rule(name="new", when=Condition(model="old"), model="m"),)}, 'model renamed by rule "new"',
     b"new"),
    ("alpha:m", {}, "model renamed", None),
    ("x", {"model": "m"}, "model renamed by the forced model", None),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "tables", "note", "rule"), RENAMED)
@pytest.mark.parametrize("spoken", [("chat",), ("messages",)])
def test_what_renamed_a_model_is_known(site, asked, tables, note, rule, spoken):
    """The record names the alias or rule, also where the request is translated, and the answer names the rule."""
    site.configure([site.entry("alpha", protocols=spoken)], **tables)
    answer = site.send(CHAT, CHAT.body(asked), spoken=CHAT if spoken == ("chat",) else MESSAGES)
    assert answer.field(b"x-fairlead-model") == b"m"
    assert answer.field(b"x-fairlead-rule") == rule
    assert (note in site.noted(answer)["notes"]) is (spoken == ("chat",) or note != "model renamed")


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
    """A name that can be asked for can be looked up, whether the backend lists it or not; any other is a 404."""
    site.configure([site.entry("alpha"), site.entry("beta")])
    listed = ask(site.proxy.port, "/v1/models").json()["data"]
    owner = {entry["id"]: entry["owned_by"] for entry in listed}["m"]
    for name in (f"{owner}:m", f"{owner.upper()}:m", f"{owner}:nothing"):
        found = ask(site.proxy.port, f"/v1/models/{name}").json()
        assert found.items() >= {"id": name, "object": "model", "created": 0, "owned_by": owner}.items()
        assert found["name"] == name
    for name in ("nobody:m", ":m", f"{owner}:"):
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
