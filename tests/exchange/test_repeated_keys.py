"""A key that an upstream repeats in an error reaches neither the client nor the history, wherever it stands."""

import json

import pytest

from router.settings import Settings
from router.settings.proxies import parse_proxy_address
from router.settings.tables import BackendOptions, Edits

from ..spellings import SPELLINGS, leaks
from .playbook import playing
from .repeating import BEGUN, CALLS, PLACES, failing, readings, said
from .upstreams import JSON, answer, streams
from .worlds import CHAT, box, chat, in_order, refuses

SPEAKS = ("chat", "messages", "responses")


@pytest.fixture(scope="module")
def secret():
    """With the characters that codings change."""
    return "sk-of/a0+0123~4567&89_AZaz-xyz"


def world(made, call, secret, **settings):
    """A runtime whose only key is that secret."""
    path, _, spoken = CALLS[call]
    caller = {"/v1/messages": "messages", "/v1/responses": "responses"}.get(path, "chat")
    protocols = (spoken,) if spoken != caller and call != "count" else SPEAKS
    found = box("box", "a0", protocols=protocols)
    account = type(found.accounts[0])("a0", secret)
    return made(type(found)(**{**_fields(found), "accounts": (account,)}), settings=in_order(**settings))


def _fields(one):
    return {name: getattr(one, name) for name in type(one).__struct_fields__}


#: Spellings and the statuses that they come with. Each place and each call meets all of them, and each place in each
#: call meets the two of a row: how a key is spelled is read in one place of the code, wherever the key stood.
ESCAPED = ((("plain", 400), ("URL", 500)), (("JSON slash", 401), ("base64 at 1", 400)))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("place", PLACES)
def test_a_repeated_key_is_nowhere(made, place, call, secret):
    """In each place of an error, for each kind of call, plainly and escaped."""
    runtime = world(made, call, secret)
    path, body, spoken = CALLS[call]
    for spelling, status in ESCAPED[([*PLACES].index(place) + [*CALLS].index(call)) % 2]:
        script = PLACES[place](SPELLINGS[spelling](secret).encode(), status, spoken)
        played = playing(runtime, path, body, *[script] * 4, threshold=0.01 if "megabyte" in place else 0)
        assert played.sent, "the upstream was not asked"
        for one in readings(played):
            assert not leaks(secret, one), (spelling, status, one[:300])


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("call", ["chat", "messages to chat", "chat to messages stream", "moderations"])
def test_a_key_in_each_spelling_is_nowhere(made, spelling, call, secret):
    """In bodies, fields and late events."""
    runtime = world(made, call, secret)
    path, body, spoken = CALLS[call]
    for place in ("JSON", "text in pieces", "field", "reason", "late event", "error in a 200"):
        script = PLACES[place](SPELLINGS[spelling](secret).encode(), 400, spoken)
        played = playing(runtime, path, body, *[script] * 4)
        for one in readings(played):
            assert not leaks(secret, one), (place, one[:300])


def test_the_keys_of_other_accounts_are_secret_too(three):
    """An upstream lists the keys of an organisation, or repeats the one of an earlier attempt."""
    keys = [f"sk-of-a{number}-0123456789" for number in range(3)]
    played = playing(three, CHAT, chat(), refuses(400, message=" ".join(keys)))
    assert played.json()["error"]["message"] == "[redacted] [redacted] [redacted]"


def test_the_login_of_the_proxy_is_secret(made):
    """A proxy on the way answers in the upstream's place, and repeats its login."""
    settings = Settings(pool_strategy="fill-first", upstream_proxy=parse_proxy_address("http://me:hunter2hunter2@p:1"))
    runtime = made(box("box", "a0"), settings=settings)
    login = SPELLINGS["Basic"]("hunter2hunter2").replace("Basic dXNlcjpodW50", "Basic bWU6aHVudG")
    for text in ("hunter2hunter2", login):
        played = playing(runtime, CHAT, chat(), refuses(407, message=f"bad {text}"))
        assert not leaks("hunter2hunter2", played.got)


def test_a_configured_credential_is_secret_without_its_scheme(made):
    """`Bearer KEY` is set, KEY is repeated."""
    edits = Edits(set_headers={"x-gateway-auth": "Bearer gw-0123456789abcdef"})
    runtime = made(box("box", "a0"), settings=in_order(backends={"box": BackendOptions(edits=edits)}))
    played = playing(runtime, CHAT, chat(), refuses(400, message="bad gw-0123456789abcdef"))
    assert played.json()["error"]["message"] == "bad [redacted]"


def test_a_callers_own_credential_is_left(made):
    """What the caller sent itself is no secret for it, but the history does not keep it."""
    runtime = made(box("box", "a0", auth="client"), settings=in_order())
    mine = "sk-mine-0123456789"
    fields = [("authorization", f"Bearer {mine}")]
    played = playing(runtime, CHAT, chat(), refuses(400, message=f"bad {mine}"), fields=fields)
    assert played.json()["error"]["message"] == f"bad {mine}"
    assert mine not in played.record.text


def test_good_answers_stay_byte_for_byte(one):
    """A model may write what looks like the key: nothing of a good body is searched."""
    secret = "sk-of-a0-0123456789"
    body = json.dumps({"id": "c", "choices": [{"message": {"content": secret}}], "usage": {}}).encode()
    assert playing(one, CHAT, chat(), answer(200, JSON, body=body)).got == body
    events = (*BEGUN["chat"], BEGUN["chat"][1].replace(b"Hello", secret.encode()), b"data: [DONE]\n\n")
    assert playing(one, CHAT, chat(stream=True), streams(*events)).got == b"".join(events)


def test_events_before_the_error_stay(one):
    """A stream that fails is searched from the read on that brings its error."""
    secret = b"sk-of-a0-0123456789"
    first = BEGUN["chat"][1].replace(b"Hello", secret)
    played = playing(one, CHAT, chat(stream=True), streams(BEGUN["chat"][0], first, failing("chat", secret)))
    assert played.got == BEGUN["chat"][0] + first + failing("chat", b"[redacted]")


def test_a_useful_error_stays_useful(one):
    """The words around the key reach the client, in valid JSON."""
    played = playing(one, CHAT, chat(), answer(401, JSON, body=said(rb"sk-of-a0\u002d01234\u0035678\u0039")))
    assert (played.status, played.json()["error"]["message"]) == (401, "Incorrect API key: [redacted]. Go on.")


def test_quoted_texts_have_no_controls(one):
    """Escape sequences and bidirectional marks of an upstream do not stand in messages of fairlead."""
    for script in (
        answer(500, (b"content-type", b"text/plain"), body="a\x1b]0;x\x07b\u202ec".encode()),
        answer(302, (b"location", b"https://a\x9b31mb.example/")),
        answer(500, JSON, (b"content-encoding", b"x\x9by"), body=b"x"),
    ):
        text = playing(one, CHAT, chat(), *[script] * 4).json()["error"]["message"]
        assert text.isprintable()


def test_fields_with_controls_are_dropped(one):
    """Neither relayed, nor read for limits, billing or anything else."""
    fields = (
        (b"x-good", b"a\tb"),
        (b"x-bad", b"a\x1b[31m"),
        (b"anthropic-ratelimit-unified-representative-claim", b"\x07"),
    )
    played = playing(one, CHAT, chat(), refuses(400, *fields))
    assert played.fields[b"x-good"] == b"a\tb"
    assert b"x-bad" not in played.fields
    assert not played.attempt.upstream.fields.keys() & {b"x-bad", b"anthropic-ratelimit-unified-representative-claim"}
