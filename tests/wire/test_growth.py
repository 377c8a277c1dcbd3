"""Twice as much in an answer or a request costs no more than about twice the work.

Work is counted as the lines and calls that Python runs, which is the same each time, and not as time.
"""

import json

import pytest

from router.ir import Searched
from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.conversation.search_memory import SearchMemory
from router.wire.searching import SearchingStream

from ..growth import count_work
from .growing_answers import ANSWERS, TARGETS, answer_of, asked, names_of, run_stream, run_whole, split
from .growing_requests import REQUESTS, requests
from .kinds import chat_pieces as chat
from .translations import assistant, claude, context, result, use, user

LITTLE = 80


STREAMS = [
    (source, target, name) for source in ANSWERS for target in TARGETS if target != source for name in names_of(source)
]
WHOLES = [
    (source, target, name)
    for source in ANSWERS
    for target in TARGETS
    if target != source
    for name, whole in names_of(source).items()
    if whole
]


def check_growth(run, make):
    """Fail if twice as much costs three times the work. make: builds the data of a size."""
    little, much = make(LITTLE), make(2 * LITTLE)
    less, more = count_work(lambda: run(little)), count_work(lambda: run(much))
    assert more < 2.5 * less, f"{less} lines, and {more} for twice as much"


@pytest.mark.parametrize(("source", "target", "name"), STREAMS)
def test_a_stream(source, target, name):
    """A stream costs work in proportion to what it holds."""
    check_growth(lambda data: run_stream(source, target, data), lambda count: answer_of(source, name, count))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "replayed"])
@pytest.mark.parametrize(("source", "target", "name"), WHOLES)
def test_a_whole_answer(source, target, name, stream):
    """A whole answer costs work in proportion to what it holds."""
    check_growth(
        lambda data: run_whole(source, target, data, stream=stream),
        lambda count: answer_of(source, name, count, whole=True),
    )


VENDORS = {
    "messages": ("anthropic",),
    "chat": ("", "openai", "mistral", "openrouter", "gemini"),
    "responses": ("",),
    "gemini": ("",),
}
ASKED = [
    (source, target, name)
    for source, make in REQUESTS.items()
    for target in TARGETS
    if target != source
    for name, _ in make(1)
]


@pytest.mark.parametrize(("source", "target", "name"), ASKED)
def test_a_request(source, target, name):
    """A request costs work in proportion to what it holds, whoever the provider is."""
    for vendor in VENDORS[target]:
        model = "claude-opus-5" if target == "messages" else "m"

        def run(body, vendor=vendor, model=model):
            translate.request(body, source, target, context(vendor, model=model, memory=ReplayMemory()))

        check_growth(run, lambda count: requests(source, count)[name])


def searching(count, memory):
    """A request that offers a search fairlead makes, whose history has searches beside the client's own calls."""
    look = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    offer = {"type": "web_search_20250305", "name": "web_search"}
    turns = []
    for at in range(count):
        memory.put("web_search", (f"c{at}",), {f"s{at}": "q"}, {f"s{at}": "found"})
        turns += [assistant([use(f"c{at}")]), user([result("ok", f"c{at}")])]
    return json.dumps(claude(user("go"), *turns, tools=[look, offer])).encode()


def test_a_history_with_searches_of_fairlead():
    """They are put back into the conversation at once."""

    def make(count):
        memory = SearchMemory()
        return searching(count, memory), memory

    def run(made):
        ctx = context(searches_itself=True, search_memory=made[1])
        sent = json.loads(translate.request(made[0], "messages", "chat", ctx).body)
        assert sum(one["role"] == "tool" for one in sent["messages"]) == 2 * (len(made[1]))

    check_growth(run, make)


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_rounds_of_an_answer(target):
    """Texts, calls and fragments of a round whose model searches."""

    def make(count):
        look = [chat.entry(("look", {"at": at}), f"c{at}", at) for at in range(count)]
        find = chat.entry(("web_search", {}), "s", count)
        pieces = [{"tool_calls": [chat.entry(None, index=count, arguments=" ")]}] * count
        texts = [{"content": "a"}] * count
        return split(chat.stream(*texts, *({"tool_calls": [one]} for one in look), {"tool_calls": [find]}, *pieces))

    def run(data):
        ctx = asked("chat")
        stream = SearchingStream("chat", target, ctx)
        for event in data:
            stream.feed(event)
        stream.end()
        assert stream.due is not None
        stream.resume([Searched(("q",), ())], goes_on=False)
        assert not stream.failed

    check_growth(run, make)
