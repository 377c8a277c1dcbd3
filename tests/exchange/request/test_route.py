"""From the bytes of a request to its route."""

import pytest

from router.errors import BadRequest, UnknownModel
from router.settings import Settings
from router.settings.tables import Condition, Rule

from ..playbook import playing
from ..upstreams import answer
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, message, response


def test_the_route_stands_in_the_record(one):
    """What was asked for, where it goes, and why."""
    record = playing(one, CHAT, chat(stream=True), answer(400)).record
    assert (record.model, record.sent_model, record.route, record.stream) == ("box:m", "m", "prefix", False)
    assert (record.backend, record.account, record.protocol) == ("box", "a0", "chat")


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES, "/v1/embeddings", "/v1/messages/count_tokens"])
def test_a_call_of_a_model_names_one(one, path):
    """Without it nothing can be routed."""
    played = playing(one, path, {"messages": []})
    assert (played.status, played.sent) == (400, [])
    assert "names no model" in played.json()["error"]["message"]
    assert isinstance(played.error, BadRequest)


def test_an_unknown_model(one):
    """The error names the backends, and says that another try does not help."""
    played = playing(one, CHAT, chat("nowhere"))
    assert isinstance(played.error, UnknownModel)
    assert (played.status, played.fields[b"x-should-retry"]) == (404, b"false")
    assert played.record.model == "nowhere"


@pytest.mark.parametrize(("request_class", "status"), [("auxiliary", 200), ("main", 404)])
def test_a_model_of_the_tools_own_choice(made, request_class, status):
    """Where nothing serves it the class of the request is looked at, also without a rule that asks for it."""
    runtime = made(box("box", "a0", protocols=("messages",)), settings=in_order(aliases={"sonnet": "box:m"}))
    fields = [("x-claude-code-request-class", request_class)]
    played = playing(runtime, MESSAGES, message("claude-sonnet-5"), good("messages"), fields=fields)
    assert (played.status, played.record.model) == (status, "claude-sonnet-5")
    if status == 200:
        assert played.sent[0].json()["model"] == played.record.sent_model == "m"
        assert "model renamed by shortcut sonnet, as the tool itself asks for claude-sonnet-5" in played.record.notes


def test_a_catalog_on_its_way_is_waited_for(made):
    """A request of the first second waits for the catalogs, for a bounded time."""
    runtime = made(box("box", "a0"), settings=in_order(default_backend="box"))
    assert runtime.catalogs.loading
    played = playing(runtime, CHAT, chat("nowhere"), good())
    assert (played.status, played.record.route, played.record.total) == (200, "default", 10)


def test_a_chat_call_with_a_responses_body_is_one(one):
    """Some tools mix the two up: the body decides."""
    played = playing(one, CHAT, response(), good("responses"))
    assert (played.sent[0].target, played.record.protocol) == (RESPONSES, "responses")


@pytest.mark.parametrize("path", ["/v1/messages/batches", "/v1/embeddings"])
def test_a_backend_that_does_not_speak_it(made, path):
    """A call that is not translated is refused with what the backend speaks."""
    protocols = ("chat",) if path.startswith("/v1/messages") else ("messages",)
    runtime = made(box("box", "a0", protocols=protocols), settings=in_order(default_backend="box"))
    played = playing(runtime, path, chat())
    assert (played.status, played.sent) == (400, [])
    assert f"speaks {protocols[0]}" in played.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "served"),
    [(chat("m"), "big"), (chat("m", tools=[{"type": "function", "function": {"name": "f"}}]), "small")],
)
def test_a_rule_that_asks_for_what_is_inside(made, body, served):
    """Rules may look into the body."""
    rule = Rule(name="tools", when=Condition(tools=True), model="small:t")
    settings = Settings(routes=(rule,), default_backend="big")
    runtime = made(box("big", "a"), box("small", "b"), settings=settings)
    assert playing(runtime, CHAT, body, good()).fields[b"x-fairlead-backend"] == served.encode()


def test_a_large_body_is_looked_into_in_a_thread(made):
    """The outcome is the same."""
    rule = Rule(name="tools", when=Condition(tools=True), model="small:t")
    runtime = made(box("big", "a"), box("small", "b"), settings=Settings(routes=(rule,), default_backend="big"))
    body = chat("m", user="x" * 1_200_000, tools=[{"type": "function", "function": {"name": "f"}}])
    played = playing(runtime, CHAT, body, good(), threshold=0.2)
    assert played.fields[b"x-fairlead-backend"] == b"small"


def test_a_request_is_captured_at_its_beginning(one):
    """Before anything else is known of it."""
    played = playing(one, MESSAGES, message("nowhere"), capture=10)
    assert played.record.request_body == b'{"model": '
