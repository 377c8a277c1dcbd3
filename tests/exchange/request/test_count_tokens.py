"""Counting tokens: by the backend where it can, else by an estimate that is flagged."""

import json
import threading

import pytest

from router.exchange.body.body import THREAD_BYTES
from router.exchange.request import count_tokens
from router.policy.facts.token_estimates import FIRST_RATIO

from ..playbook import playing
from ..upstreams import Break, says
from ..worlds import box, in_order, message, refuses

COUNT = "/v1/messages/count_tokens"
ASKED = {"model": "box:m", "messages": [{"role": "user", "content": "hi"}]}
ESTIMATE = round(len(json.dumps(ASKED)) / FIRST_RATIO)


@pytest.fixture
def counting(made):
    """Makes a backend that speaks these protocols."""

    def make(*protocols, aliases=("a0",), **fields):
        return made(box("box", *aliases, protocols=protocols, **fields), settings=in_order())

    return make


def test_a_native_count_is_passed_on(counting):
    """The backend speaks the caller's protocol: its answer is the client's."""
    played = playing(counting("messages"), COUNT, ASKED, says(200, {"input_tokens": 7, "own": 1}))
    assert played.story == [f"> a0 POST {COUNT}", "< 200", "= 200 application/json"]
    assert played.json() == {"input_tokens": 7, "own": 1}
    assert not played.record.estimated


LM_STUDIO = {"error": "Unexpected endpoint or method. (POST /v1/messages/count_tokens). Returning 200 anyway"}


@pytest.mark.parametrize(
    "reply", [refuses(404), refuses(405), refuses(501), says(200, LM_STUDIO), says(404, {"detail": "Not Found"})]
)
@pytest.mark.parametrize("aliases", [("a0",), ("a0", "a1")])
def test_a_backend_without_the_path_is_estimated(counting, reply, aliases):
    """It speaks the caller's protocol, and does not count: the client gets an estimate that is flagged, never the 404,
    and no account is blamed."""
    runtime = counting("messages", "chat", aliases=aliases)
    played = playing(runtime, COUNT, ASKED, reply)
    assert (played.asked, played.status, played.json()) == (["a0"], 200, {"input_tokens": ESTIMATE})
    assert played.fields[b"x-fairlead-loss"] == b"input_tokens=weakened"
    assert b"x-fairlead-translation" not in played.fields
    assert (played.record.estimated, played.record.losses) == (True, "input_tokens=weakened")
    assert [one.faults for one in runtime.snapshot.services["box"].pool.members] == [0] * len(aliases)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_other_errors_of_a_count_are_passed_on(counting, status):
    """They say something of the request or the account, and not of the path."""
    assert playing(counting("messages"), COUNT, ASKED, *[refuses(status)] * 3).status == status


def test_a_translated_count(counting):
    """The backend counts in its own protocol, and is asked there."""
    played = playing(counting("responses"), COUNT, ASKED, says(200, {"input_tokens": 7, "object": "x"}))
    assert played.sent[0].target == "/v1/responses/input_tokens"
    assert set(played.sent[0].json()) <= {"model", "input", "instructions", "tools", "tool_choice", "text", "reasoning"}
    assert played.json() == {"input_tokens": 7}
    assert played.fields[b"x-fairlead-translation"] == b"messages->responses"
    assert (played.record.estimated, played.pool.given_back) == (False, 1)


def test_a_large_count_is_translated_in_a_thread(counting, monkeypatch):
    """It would hold up all streams."""
    main, rewrite = [], count_tokens.rewrite

    def watched(*arguments):
        main.append(threading.current_thread() is threading.main_thread())
        return rewrite(*arguments)

    monkeypatch.setattr(count_tokens, "rewrite", watched)
    for size in (9, THREAD_BYTES):
        asked = {**ASKED, "messages": [{"role": "user", "content": "x" * size}]}
        played = playing(counting("responses"), COUNT, asked, says(200, {"input_tokens": 7}), threshold=0.5)
        assert played.json() == {"input_tokens": 7}
    assert main == [True, False]


def test_a_backend_that_does_not_count(counting):
    """The size of the body says it, nothing is sent, and the answer is flagged."""
    played = playing(counting("chat"), COUNT, ASKED)
    assert (played.asked, played.status) == ([], 200)
    assert played.json() == {"input_tokens": ESTIMATE}
    assert b"input_tokens=weakened" in played.fields[b"x-fairlead-loss"]
    assert played.record.estimated
    assert "tokens estimated" in played.record.notes
    assert "input_tokens=weakened" in played.record.losses


@pytest.mark.parametrize(
    "reply", [refuses(404), refuses(400), says(200, {"other": 1}), says(200, {"input_tokens": -1})]
)
def test_a_count_that_fails_is_estimated(counting, reply):
    """A client that asks is never refused for lack of an endpoint."""
    played = playing(counting("responses"), COUNT, ASKED, reply)
    assert (len(played.sent), played.status, played.json()) == (1, 200, {"input_tokens": ESTIMATE})
    assert played.record.estimated


def test_a_count_that_breaks_off_moves(counting):
    """It is an attempt as any other."""
    runtime = counting("responses", aliases=("a0", "a1"))
    played = playing(runtime, COUNT, ASKED, [Break()], says(200, {"input_tokens": 7}))
    assert (played.asked, played.json()) == (["a0", "a1"], {"input_tokens": 7})


def test_a_count_is_no_generation(counting):
    """No usage is recorded for it."""
    played = playing(counting("responses"), COUNT, ASKED, says(200, {"input_tokens": 7}))
    assert (played.record.usage.input, played.record.usage.output) == (None, None)


def test_a_count_needs_a_model(counting):
    """Without one it cannot be routed."""
    assert playing(counting("messages"), COUNT, {"messages": message()["messages"]}).status == 400
