"""Requests to an upstream that speaks another protocol, and which parts of the caller's are sent."""

import gc
import types

import msgspec
import pytest

from router.exchange.attempt import Attempt
from router.exchange.request import translation
from router.exchange.request.translation import foretell, needs_translation
from router.settings import Settings
from router.settings.tables import BackendOptions, Edits
from router.wire import calls
from router.wire.raw.json.top_level import peek

from ...answers import PATHS
from ..attempts import PROTOCOLS, asks
from ..playbook import playing
from ..worlds import CHAT, MESSAGES, box, chat, good, in_order, message, refuses, secret_of

PAIRS = [(caller, spoken) for caller in PROTOCOLS for spoken in PROTOCOLS if caller != spoken]


@pytest.mark.parametrize(("caller", "spoken"), PAIRS)
def test_each_protocol_reaches_each(made, caller, spoken):
    """The upstream is asked in its own protocol with fairlead's own head, and the caller is answered in its own."""
    runtime = made(box("box", "a0", protocols=(spoken,)), settings=in_order())
    fields = [("x-other", "1"), ("user-agent", "tool/1"), ("anthropic-beta", "x")]
    played = playing(runtime, PATHS[caller], asks(caller, "box", stream=False), good(spoken), fields=fields)
    sent = played.sent[0]
    assert played.story == [f"> a0 POST {PATHS[spoken]}", "< 200", "= 200 application/json"]
    assert sent.json()["model"] == "m"
    assert b"x-other" not in sent.fields
    assert sent.fields[b"user-agent"].startswith(b"fairlead/")
    assert sent.fields[b"accept"] == b"application/json"
    assert sent.fields[b"accept-encoding"] == b"identity"
    assert secret_of("a0").encode() in sent.fields[b"x-api-key" if spoken == "messages" else b"authorization"]
    assert b"good" in played.got
    assert played.fields[b"x-fairlead-translation"] == f"{caller}->{spoken}".encode()
    assert (played.record.usage.input, played.record.usage.output) == (3, 1)
    assert f"translated {caller}->{spoken}" in played.record.notes


@pytest.mark.parametrize(
    ("path", "spoken", "found"),
    [
        (CHAT, ("chat",), False),
        (CHAT, ("messages", "chat"), False),
        (CHAT, ("messages",), True),
        (MESSAGES, ("responses",), True),
        ("/v1/messages/count_tokens", ("chat",), True),
        ("/v1/messages/batches", ("chat",), False),
        ("/v1/embeddings", ("messages",), False),
    ],
)
def test_what_is_translated(made, path, spoken, found):
    """Generations and counts whose protocol the backend does not speak."""
    table = made(box("box", "a0", protocols=spoken)).snapshot.table
    route = playing(made(box("box", "a0")), CHAT, chat(), good()).attempt.route
    route = msgspec.structs.replace(route, backend=table.named["box"])
    assert needs_translation(calls.call(path, {}), route) is found


def test_what_cannot_be_translated_is_refused(made):
    """Before anything goes upstream, with what stands in the way."""
    runtime = made(box("box", "a0"), settings=in_order())
    body = message(mcp_servers=[{"type": "url", "url": "https://x.example", "name": "x"}])
    played = playing(runtime, MESSAGES, body)
    assert (played.sent, played.status) == ([], 400)
    assert "mcp_servers" in played.json()["error"]["message"]


def test_what_is_lost_is_named(made):
    """In the answer's head and in the record."""
    runtime = made(box("box", "a0", vendor="openai"), settings=in_order())
    played = playing(runtime, MESSAGES, message(top_k=5), good())
    assert played.fields[b"x-fairlead-loss"] == b"top_k=dropped"
    assert any("lost top_k" in note for note in played.record.notes)


def test_configured_edits_are_made_in_the_upstreams_protocol(made):
    """A cap and headers of the backend's table hold for what is sent."""
    edits = Edits(set_headers={"x-set": "1"}, max_tokens=5)
    settings = in_order(backends={"box": BackendOptions(edits=edits)})
    sent = playing(made(box("box", "a0"), settings=settings), MESSAGES, message(), good()).sent[0]
    assert sent.fields[b"x-set"] == b"1"
    assert 5 in (sent.json().get("max_tokens"), sent.json().get("max_completion_tokens"))


@pytest.mark.parametrize(("probe", "asked"), [(True, True), (False, False)])
def test_usage_of_a_stream(made, probe, asked):
    """A provider that is not known is asked for usage, unless the user forbade it."""
    runtime = made(box("box", "a0"), settings=in_order(usage_probe=probe))
    sent = playing(runtime, MESSAGES, message(stream=True), refuses(422)).sent[0]
    assert ("stream_options" in sent.json()) is asked
    assert sent.fields[b"accept"] == b"text/event-stream"


def test_an_error_is_given_in_the_callers_protocol(made):
    """With the upstream's words."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, MESSAGES, message(), refuses(404, message="no such model"))
    assert (played.status, played.json()["type"]) == (404, "error")
    assert played.json()["error"]["message"] == "no such model"


def test_what_explain_says(made):
    """The title, the losses and the notes, as the request would have them; nothing is sent."""
    runtime = made(box("box", "a0", vendor="openai"), settings=Settings())
    attempt = playing(runtime, MESSAGES, message(), good()).attempt
    context, body = (
        attempt.context,
        b'{"model":"m","max_tokens":9,"top_k":5,"messages":[{"role":"user","content":"hi"}]}',
    )
    assert peek(body)
    call = calls.call("/v1/messages/count_tokens", {})
    arguments = (attempt.route, attempt.target, runtime.snapshot, context.facts, ())
    assert foretell(body, call, *arguments) == (
        "messages->chat",
        ["input_tokens=weakened"],
        ["tokens estimated"],
    )
    title, lost, notes = foretell(body, context.call, *arguments)
    assert (title, lost) == ("messages->chat", ["top_k=dropped"])
    assert notes[0] == "translated messages->chat"


def reach(start):
    """All objects that one holds, directly or not, without what the whole program shares."""
    shared = (type, types.ModuleType, types.FunctionType, types.CodeType)
    found, due = {id(start): start}, [start]
    while due:
        for one in gc.get_referents(due.pop()):
            if id(one) not in found and not isinstance(one, shared):
                found[id(one)] = one
                due.append(one)
    return found.values()


def test_a_plan_does_not_hold_its_attempt(made, monkeypatch):
    """The attempt holds the plan: a circle would leave all that was decoded of an answer to a full collection, which
    holds the loop while it frees a large one."""
    contexts = []

    def record(*arguments, **options):
        plan = plan_translation(*arguments, **options)
        contexts.append(plan.ctx)
        return plan

    plan_translation = translation.plan_translation
    monkeypatch.setattr(translation, "plan_translation", record)
    world = made(box("chat", "a0", protocols=("chat",)))
    assert playing(world, MESSAGES, message("chat:m"), good()).status == 200
    (context,) = contexts
    assert context.complete_fault is not None
    held = [one for name in context.__slots__ for one in reach(getattr(context, name))]
    assert not [one for one in held if type(one) is Attempt]
