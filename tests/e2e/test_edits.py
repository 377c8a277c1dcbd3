"""The edits of a request that are allowed: the model's name, the usage probe, the billing line, credentials."""

import gzip
import json

import pytest

from .conftest import CLIENT_KEY, UPSTREAM_KEY
from .processes import Proxy, backend
from .samples import CHAT, CHAT_USAGE, EMBEDDINGS, MESSAGES, PROTOCOLS, RESPONSES
from .upstream import Upstream, plain, stream
from .wire import Client, ask, request

NAMES = [protocol.name for protocol in PROTOCOLS]
BILLING = b'{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.328.50a; cc_entrypoint=sdk-cli;"}'
USAGE_STREAM = (*CHAT.events[:-1], CHAT_USAGE, CHAT.events[-1])
CREDENTIALS = (
    (b"Authorization", b"Bearer callers-own-token"),
    (b"x-api-key", b"callers-own-key"),
    (b"api-key", b"callers-azure-key"),
    (b"X-Goog-Api-Key", b"callers-google-key"),
)
PRIVATE = (
    (b"Cookie", b"session=1"),
    (b"Proxy-Authorization", b"Basic eA=="),
    (b"X-Forwarded-For", b"10.0.0.1"),
    (b"x-forwarded-host", b"h"),
    (b"X-Fairlead-Key", b"k"),
    (b"x-fairlead-anything", b"k"),
    (b"TE", b"trailers"),
    (b"Keep-Alive", b"timeout=5"),
)
VENDOR = ((b"OpenAI-Organization", b"org-1"), (b"openai-project", b"proj-1"))


def spliced(sent, seen):
    """What was cut from the bytes and what stands in its place; all bytes around it are the same."""
    most = min(len(sent), len(seen))
    start = next((at for at in range(most) if sent[at] != seen[at]), most)
    most -= start
    end = next((at for at in range(most) if sent[-1 - at] != seen[-1 - at]), most)
    return sent[start : len(sent) - end], seen[start : len(seen) - end]


@pytest.mark.parametrize("protocol", [*PROTOCOLS, EMBEDDINGS], ids=[*NAMES, "embeddings"])
@pytest.mark.parametrize("member", [b'"model":"box:x/y:z"', b'"model" : "b\\u006fx:x/y:z"'], ids=["plain", "escaped"])
def test_model_in_place(fairlead, upstream, protocol, member):
    """A prefix is cut from the model's name where it stands; no other byte changes."""
    upstream.script(plain(protocol.whole))
    body = protocol.body("MODEL").replace(b'"model":"MODEL"', member)
    answer = ask(fairlead.port, protocol.path, body)
    assert answer.field(b"x-fairlead-model") == b"x/y:z"
    name = member.partition(b":")[2].strip()
    assert upstream.seen[0].body == body.replace(name, b'"x/y:z"')


def test_other_colons_belong_to_the_model(fairlead, upstream):
    """A colon that follows no backend's name is part of the model."""
    upstream.script(plain(CHAT.whole))
    body = CHAT.body("llama3:8b")
    assert ask(fairlead.port, CHAT.path, body).field(b"x-fairlead-model") == b"llama3:8b"
    assert upstream.seen[0].body == body


def test_odd_model_in_the_header(fairlead, upstream):
    """The header that names the model is plain text, whatever the name is, and not over 256 bytes."""
    for name, shown in (
        ("mod\u00e8le %", b"mod%C3%A8le %25"),
        ("m" + "\u2028" * 80, b"m" + b"%E2%80%A8" * 28 + b"%E2"),
    ):
        upstream.script(plain(CHAT.whole))
        answer = ask(fairlead.port, CHAT.path, CHAT.body(name))
        assert answer.field(b"x-fairlead-model") == shown


@pytest.mark.parametrize("protocol", [*PROTOCOLS, EMBEDDINGS], ids=[*NAMES, "embeddings"])
def test_first_that_speaks_it(keyed, upstream, protocol):
    """Of several backends that list a model, the first that speaks the caller's protocol serves."""
    upstream.script(plain(protocol.whole))
    answer = ask(keyed.port, protocol.path, protocol.body(), (b"x-fairlead-key", CLIENT_KEY.encode()))
    assert (answer.status, answer.body) == (200, protocol.whole)
    assert answer.field(b"x-fairlead-backend") == (b"anth" if protocol is MESSAGES else b"box")


def test_catalog_still_on_its_way(tmp_path, upstream):
    """A request of the first second waits for the catalogs: default_backend only gets what none of them lists."""
    owner = Upstream(models=["only-here"])
    owner.listed.clear()
    backends = [backend("owner", owner.root), backend("other", upstream.root)]
    try:
        with Proxy(tmp_path, backends=backends, settings={"FAIRLEAD_DEFAULT_BACKEND": "other"}) as proxy:
            proxy.settled("other")
            owner.script(plain(CHAT.whole))
            upstream.default = (plain(CHAT.whole),)
            with Client(proxy.port) as client:
                client.send(request(CHAT.path, CHAT.body("only-here")))
                ask(proxy.port, CHAT.path, CHAT.body("other:model-a"))  # by then the first one has been looked at
                owner.listed.set()
                assert client.answer().field(b"x-fairlead-backend") == b"owner"
    finally:
        owner.stop()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (b"", b'{"include_usage":true}'),
        (b'"stream_options":null,', b'{"include_usage":true}'),
        (b'"stream_options" : {} ,', b'{"include_usage":true}'),
        (b'"stream_options":{"include_usage":false,"x":1.0},', b'{"include_usage":true,"x":1.0}'),
    ],
    ids=["absent", "null", "empty", "false"],
)
def test_usage_probe(fairlead, upstream, options, wanted):
    """Where streams report usage only if asked, they are asked; the event nobody asked for does not come back."""
    upstream.script(stream(USAGE_STREAM))
    body = CHAT.body("oai:m", stream=True, extra=options)
    answer = ask(fairlead.port, CHAT.path, body)
    assert (answer.body, answer.whole) == (b"".join(CHAT.events), True)
    [seen] = upstream.seen
    assert json.loads(seen.body)["stream_options"] == json.loads(wanted)
    assert seen.body.count(b"stream_options") == 1
    unprefixed = body.replace(b"oai:m", b"m")
    if options:
        start, end = unprefixed.index(options), unprefixed.index(options) + len(options)
        assert (seen.body.startswith(unprefixed[:start]), seen.body.endswith(unprefixed[end - 1 :])) == (True, True)
    else:
        assert spliced(unprefixed, seen.body)[0] == b""


def test_usage_that_was_asked_for(fairlead, upstream):
    """A client that asks for usage itself gets the event, and its request is not touched."""
    upstream.script(stream(USAGE_STREAM))
    body = CHAT.body("oai:m", stream=True, extra=b'"stream_options":{ "include_usage" : true},')
    answer = ask(fairlead.port, CHAT.path, body)
    assert answer.body == b"".join(USAGE_STREAM)
    assert upstream.seen[0].body == body.replace(b"oai:m", b"m")


@pytest.mark.parametrize("protocol", [CHAT, RESPONSES], ids=["chat plain", "responses stream"])
def test_no_probe_elsewhere(fairlead, upstream, protocol):
    """Plain Chat requests and the streams of other protocols are not probed."""
    upstream.script(plain(protocol.whole) if protocol is CHAT else stream(protocol.events))
    body = protocol.body("oai:m", stream=protocol is not CHAT)
    ask(fairlead.port, protocol.path, body)
    assert upstream.seen[0].body == body.replace(b"oai:m", b"m")


def test_refused_probe(fairlead, upstream):
    """A 400 that names stream_options is asked again without, once, and the backend is not probed any more."""
    refusal = b'{"error":{"message":"Unknown field: stream_options","type":"invalid_request_error"}}'
    upstream.script(plain(refusal, b"400 Bad Request"))
    upstream.script(stream(CHAT.events))
    body = CHAT.body("picky:m", stream=True)
    bare = body.replace(b"picky:m", b"m")
    answer = ask(fairlead.port, CHAT.path, body)
    assert (answer.status, answer.body, answer.field(b"x-fairlead-attempts")) == (200, b"".join(CHAT.events), b"2")
    assert b"stream_options" in upstream.seen[0].body
    assert upstream.seen[1].body == bare
    upstream.script(stream(CHAT.events))
    assert ask(fairlead.port, CHAT.path, body).field(b"x-fairlead-attempts") == b"1"
    assert upstream.seen[2].body == bare


def test_other_refusal_of_a_probed_request(fairlead, upstream):
    """A 400 for another reason is relayed as it is, and not asked again."""
    refusal = b'{"error": {"message":"max_tokens is too large" ,"type":"invalid_request_error"}}'
    upstream.script(plain(refusal, b"400 Bad Request"))
    answer = ask(fairlead.port, CHAT.path, CHAT.body("oai:m", stream=True))
    assert (answer.status, answer.body, len(upstream.seen)) == (400, refusal, 1)


def test_own_stream_options_refused(fairlead, upstream):
    """A 400 that names the client's own stream_options is the client's to see."""
    refusal = b'{"error":{"message":"Unknown field: stream_options","type":"invalid_request_error"}}'
    upstream.script(plain(refusal, b"400 Bad Request"))
    body = CHAT.body("oai:m", stream=True, extra=b'"stream_options":{"include_usage":true},')
    answer = ask(fairlead.port, CHAT.path, body)
    assert (answer.status, answer.body, len(upstream.seen)) == (400, refusal, 1)


SECOND = b'{"type":"text" , "text":"You \\u0061re","cache_control":{"type":"ephemeral"},"new":1.0}'


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_billing_line(fairlead, upstream, path):
    """The billing line of Claude Code's system prompt stops before backends that are not Anthropic, and only there."""
    upstream.default = (plain(MESSAGES.whole),)
    body = MESSAGES.body("NAME:m", extra=b'"system":[%b,%b],' % (BILLING, SECOND))
    for name in ("box", "anth"):
        ask(fairlead.port, path, body.replace(b"NAME", name.encode()))
    stripped, kept = (seen.body for seen in upstream.seen)
    assert kept == body.replace(b"NAME:", b"")
    assert stripped == kept.replace(BILLING + b",", b"")


def test_billing_line_in_a_text(fairlead, upstream):
    """The line is also taken from a system prompt that is a string; the same words elsewhere are left alone."""
    upstream.default = (plain(MESSAGES.whole),)
    line = json.loads(BILLING)["text"]
    texts = (f"{line}\nYou are", f"You are\n{line}")
    for text in texts:
        ask(fairlead.port, MESSAGES.path, MESSAGES.body(extra=b'"system":%b,' % json.dumps(text).encode()))
    assert [json.loads(seen.body)["system"] for seen in upstream.seen] == ["You are", texts[1]]


@pytest.mark.parametrize(
    ("name", "auth"),
    [
        ("box", {}),
        ("oai", {b"authorization": b"Bearer " + UPSTREAM_KEY.encode()}),
        ("anth", {b"x-api-key": UPSTREAM_KEY.encode()}),
        ("own", {b"authorization": CREDENTIALS[0][1], b"x-api-key": CREDENTIALS[1][1]}),
    ],
)
@pytest.mark.parametrize("protocol", [MESSAGES, EMBEDDINGS], ids=["messages", "embeddings"])
def test_credentials(fairlead, upstream, name, auth, protocol):
    """Each backend gets its own credential and no other; with auth=client the caller's, unchanged."""
    protocol = MESSAGES if name == "anth" else protocol
    upstream.script(plain(protocol.whole))
    ask(fairlead.port, protocol.path, protocol.body(f"{name}:m"), *CREDENTIALS, *PRIVATE, *VENDOR)
    [seen] = upstream.seen
    held = {key: seen.field(key) for key in (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")}
    assert {key: value for key, value in held.items() if value is not None} == auth
    names = {key.lower() for key, _ in seen.lines}
    assert not names & {key.lower() for key, _ in PRIVATE}
    assert not any(key.startswith((b"x-forwarded-", b"x-fairlead-")) for key in names)
    assert ({b"openai-organization", b"openai-project"} <= names) == (name == "oai")
    if name != "oai":
        assert not names & {b"openai-organization", b"openai-project"}


@pytest.mark.parametrize("form", [b"x-fairlead-key", b"x-api-key", b"authorization"])
@pytest.mark.parametrize("name", ["box", "own", "oai"])
def test_own_key_goes_nowhere(keyed, upstream, form, name):
    """The header that held fairlead's own key stops here, also before a backend that takes the caller's credential."""
    upstream.script(plain(CHAT.whole))
    key = CLIENT_KEY.encode()
    own = (form, b"Bearer " + key if form == b"authorization" else key)
    other = CREDENTIALS[0] if form == b"x-api-key" else CREDENTIALS[1]
    answer = ask(keyed.port, CHAT.path, CHAT.body(f"{name}:m"), own, other)
    assert answer.status == 200
    [seen] = upstream.seen
    assert key not in b"".join(value for _, value in seen.lines)
    if name == "own":
        assert seen.field(other[0]) == other[1]


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("status", [b"400 Bad Request", b"401 Unauthorized", b"500 Oops"])
def test_an_error_that_repeats_the_key(fairlead, upstream, status, coded):
    """The backend's key is taken out of it: the caller may not know it. All else is word for word."""
    text = b'{"error":{"message":"no key %b here","type":"x","param":null,"code":null}}'
    body = text % UPSTREAM_KEY.encode()
    fields = ((b"Content-Encoding", b"gzip"),) if coded else ()
    upstream.default = (plain(gzip.compress(body) if coded else body, status, *fields),)
    answer = ask(fairlead.port, EMBEDDINGS.path, EMBEDDINGS.body("oai:m"))
    assert answer.status == int(status[:3])
    assert answer.body == text % b"[redacted]"
    assert answer.field(b"content-encoding") is None


def test_what_stands_for_no_key_goes_nowhere(fairlead, upstream):
    """`fairlead` as a key is none: the tool's own login goes alone to a backend that takes the caller's."""
    upstream.script(plain(CHAT.whole))
    ask(fairlead.port, CHAT.path, CHAT.body("own:m"), CREDENTIALS[0], (b"X-Api-Key", b"fairlead"))
    [seen] = upstream.seen
    assert (seen.field(b"authorization"), seen.field(b"x-api-key")) == (CREDENTIALS[0][1], None)


def test_named_in_connection(fairlead, upstream):
    """Fields that Connection names stop here, but it cannot take length, type or credential away."""
    upstream.script(plain(CHAT.whole))
    named = (b"Connection", b"close, X-Hop, content-length, Content-Type, authorization, host")
    ask(fairlead.port, CHAT.path, CHAT.body("own:m"), named, (b"X-Hop", b"1"), (b"X-Stays", b"1"), *CREDENTIALS[:1])
    [seen] = upstream.seen
    assert (seen.field(b"x-hop"), seen.field(b"x-stays")) == (None, b"1")
    assert seen.field(b"content-type") == b"application/json"
    assert seen.field(b"authorization") == CREDENTIALS[0][1]
    assert len(seen.body) == int(seen.field(b"content-length"))


NEVER_RELAYED = (
    (b"Set-Cookie", b"a=1"),
    (b"Access-Control-Allow-Origin", b"*"),
    (b"access-control-allow-credentials", b"true"),
    (b"Alt-Svc", b'h3=":443"'),
    (b"Strict-Transport-Security", b"max-age=1"),
    (b"Clear-Site-Data", b'"*"'),
    (b"Refresh", b"0; url=http://x.example"),
    (b"X-Fairlead-Backend", b"forged"),
    (b"Content-Security-Policy", b"script-src *"),
    (b"Keep-Alive", b"timeout=60"),
)


@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request", b"500 Oops"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=NAMES)
def test_never_relayed(fairlead, upstream, protocol, status):
    """What would act on a browser or forge our own headers never comes back, from whole answers, errors and streams."""
    upstream.script(plain(protocol.whole, status, *NEVER_RELAYED))
    upstream.script(stream(protocol.events, *NEVER_RELAYED))
    for streamed in (False, True):
        answer = ask(fairlead.port, protocol.path, protocol.body(stream=streamed))
        for name, value in NEVER_RELAYED:
            assert value not in (answer.field(name) or b""), name
        assert answer.field(b"x-fairlead-backend") == b"box"
        assert answer.field(b"content-security-policy") == b"default-src 'none'; sandbox"
