"""The record of a request at its end, and estimates for a generation without usage."""

import json

import pytest

from router.errors import BadGateway
from router.exchange.conclusion import PATH_LIMIT, estimate
from router.ir import Usage
from router.net.server.cancel_reason import CancelReason
from router.policy.budget.reservations import TYPICAL_OUTPUT
from router.policy.facts.token_estimates import FIRST_RATIO
from router.telemetry.accesslog import RequestRecord
from router.telemetry.recorder import make_entry
from router.wire.headers.agent_hints import AgentHints
from router.wire.raw import sse

from .attempts import GOOD
from .playbook import playing
from .test_exchange import HELLO
from .upstreams import JSON, Break, Silence, answer, says, streams
from .worlds import CHAT, MESSAGES, box, chat, good, in_order, message, refuses


def test_the_record_of_a_good_request(one):
    """The record has all that the log, the history and the budgets show."""
    record = playing(one, CHAT, chat(), good(), fields=[("x-app", "cli"), ("x-claude-code-session-id", "s")]).record
    assert (record.backend, record.account, record.route, record.sent_model) == ("box", "a0", "prefix", "m")
    assert (record.protocol, record.model, record.stream) == ("chat", "box:m", False)
    assert (record.status, record.error, record.attempts) == (200, "", 1)
    assert record.root == "https://box.example/v1"
    assert record.client == "claude-code"
    assert record.request_bytes == len(json.dumps(chat()))
    assert (record.usage.input, record.usage.output, record.estimated) == (3, 1, False)
    assert (record.notes, record.losses) == (("model renamed",), "")


def test_what_the_client_tells_of_its_agents(one):
    """It is recorded of requests that were served and that were not, without the other headers."""
    told = {b"x-claude-code-request-class": b"subagent", b"x-claude-code-agent-id": b"a1"}
    fields = [(name.decode(), value.decode()) for name, value in told.items()]
    for body in (chat(), chat("other:m")):
        record = playing(one, CHAT, body, good(), fields=[*fields, ("x-app", "cli")]).record
        assert record.hints == told
        assert (make_entry(record).request_class, make_entry(record).hints) == (
            "subagent",
            AgentHints("subagent", agent_id="a1"),
        )


def test_limits_that_an_answer_tells(three):
    """Of the head those fields are kept that tell of limits, also of an error's."""
    told = (b"x-ratelimit-remaining-tokens", b"5")
    for script in (good("chat", told, (b"x-other", b"1")), refuses(400, told, (b"x-other", b"1"))):
        assert playing(three, CHAT, chat(), script).record.limits == {told[0]: told[1]}


def test_a_request_that_nothing_served(one):
    """An error before any attempt has neither limits nor a root."""
    record = playing(one, CHAT, chat("other:m")).record
    assert (record.status, record.attempts, record.root, record.error) == (404, 0, "", "not_found_error")


def test_what_a_translation_lost(made):
    """It is told whole in the record."""
    runtime = made(box("box", "a0", vendor="openai"), settings=in_order())
    record = playing(runtime, MESSAGES, message(top_k=5), good()).record
    assert record.losses == "top_k=dropped"
    assert any(note.startswith("translated messages->chat") for note in record.notes)


def test_a_long_path_is_not_stored_whole(one):
    """What waits to be stored is bounded."""
    stored = []
    one.recorder.add_finished = stored.append
    path = "/v1/responses/" + "x" * 500
    playing(one, path, b"", answer(404), method="GET")
    assert [len(record.path) for record in stored] == [PATH_LIMIT]


def test_captured_bodies_are_not_stored_with_the_record(one):
    """They have a place of their own."""
    stored = []
    one.recorder.add_finished = stored.append
    played = playing(one, CHAT, chat(), good(), capture=1000)
    assert played.record.answer_body
    assert [(record.request_body, record.answer_body) for record in stored] == [(b"", b"")]


@pytest.mark.parametrize(
    ("script", "options", "used"),
    [
        ([says(200, {**GOOD["chat"], "usage": None})], {}, "estimated"),
        ([streams(*HELLO)], {"stream": True}, "estimated"),
        ([streams(*HELLO[:2], Silence(1), Break())], {"stream": True}, "estimated"),
        ([refuses(400)], {}, None),
        ([good()], {}, (3, 1)),
    ],
)
def test_usage_that_was_not_said(one, script, options, used):
    """A generation without usage, or one that was cut, is counted by an estimate; a refused one is not."""
    played = playing(one, CHAT, chat(**options), *script)
    record = played.record
    if used == "estimated":
        assert record.estimated
        assert record.usage.input == round(record.request_bytes / FIRST_RATIO)
        assert record.usage.output == record.guess
    else:
        assert (record.estimated, (record.usage.input, record.usage.output)) == (False, used or (None, None))


HTML, GZIP = (b"content-type", b"text/html"), (b"content-encoding", b"gzip")
USED = {"prompt_tokens": 40, "completion_tokens": 8, "total_tokens": 48}


@pytest.mark.parametrize(
    ("script", "options", "output"),
    [
        ([[Break()]], {}, TYPICAL_OUTPUT),
        ([[Break()]], {"max_tokens": 70}, 70),
        ([[Break()]], {"max_tokens": 70, "max_completion_tokens": 90, "n": 3}, 270),
        ([[Break(reset=False)]], {"max_tokens": 70}, 70),
        ([[b"nonsense"], [Break()]], {"max_tokens": 70}, 70),
        ([[b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", Break()]], {"max_tokens": 70}, 70),
        ([answer(200, HTML, body=b"<html>login</html>")], {"max_tokens": 70}, 70),
        ([answer(200, JSON, GZIP, body=b"no gzip")], {"max_tokens": 70}, 70),
        ([answer(200, JSON)], {"max_tokens": 70}, 70),
        ([[Break()]], {"max_tokens": 70, "stream": True}, 0),
        ([refuses(400)], {"max_tokens": 70}, None),
        ([refuses(500)], {"max_tokens": 70}, None),
        ([refuses(529)], {"max_tokens": 70}, None),
        ([says(200, {"error": {"message": "no"}})], {"max_tokens": 70}, None),
        ([says(500, {"error": {"message": "no"}, "usage": USED})], {"max_tokens": 70}, 8),
        ([says(200, {"error": {"message": "no"}, "usage": USED})], {"max_tokens": 70}, 8),
        (
            [streams(b'data: {"error":{"message":"no"},"usage":%s}\n\n' % json.dumps(USED).encode())],
            {"stream": True},
            8,
        ),
    ],
)
def test_an_answer_that_ends_badly(one, script, options, output):
    """A request that was sent whole and not refused counts as written to its limit; a refusal costs nothing, and an
    error with a usage what it says."""
    record = playing(one, CHAT, chat(**options), *script).record
    assert record.usage.output == output
    assert (record.usage.input is None) is (output is None)


def test_a_request_that_never_went_out(one):
    """It costs nothing."""
    record = playing(one, CHAT, chat(max_tokens=70), unreachable=[BadGateway("no way")] * 9).record
    assert record.error
    assert (record.usage.input, record.usage.output) == (None, None)


@pytest.mark.parametrize("cut", [CancelReason.TOTAL, CancelReason.STOPPING])
def test_a_plain_answer_that_takes_too_long(one, cut):
    """The upstream goes on writing, and bills it."""
    record = playing(one, CHAT, chat(max_tokens=70), [Silence(99)], cuts={5: cut}).record
    assert (record.usage.output, record.estimated) == (70, True)


def test_a_client_that_leaves_a_plain_answer(one):
    """The upstream's connection is closed at once."""
    record = playing(one, CHAT, chat(max_tokens=70), [Silence(99)], cuts={5: CancelReason.CLIENT_GONE}).record
    assert (record.usage.output, record.estimated) == (0, True)


@pytest.mark.parametrize(
    ("contents", "least", "most"),
    [
        ((30_000 * "word ",) * 3, 100_000, 120_000),
        (("word ",) * 2000, 2000, 2000),
        ((30 * "word ",) * 200, 2000, 9000),
        (("a", 3000 * "word "), 3000, 4200),
    ],
)
def test_a_stream_without_usage_counts_by_its_text(one, contents, least, most):
    """An event may hold any number of tokens."""
    chunks = [
        sse.frame(json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}).encode())
        for text in contents
    ]
    end = sse.frame(b'{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}') + sse.frame(b"[DONE]")
    record = playing(one, CHAT, chat(stream=True), streams(*chunks, end)).record
    assert record.estimated
    assert least <= record.usage.output <= most + 2


def ended(usage=None, *, guess=0, sent=360, expected=None):
    made = RequestRecord("req_1", 0.0, "POST", "/v1/messages")
    made.usage, made.guess, made.request_bytes, made.expected = usage or Usage(), guess, sent, expected
    return made


@pytest.mark.parametrize(
    ("found", "end", "writes", "counts", "estimated"),
    [
        (ended(Usage(7, 9)), "whole", True, (7, 9), False),
        (ended(Usage(0, 0)), "whole", True, (0, 0), False),
        (ended(guess=40), "whole", True, (100, 40), True),
        (ended(Usage(7, None), guess=40), "whole", True, (7, 40), True),
        (ended(Usage(None, 9), guess=40), "whole", True, (100, 9), True),
        (ended(Usage(8, None)), "whole", False, (8, None), False),
        (ended(), "whole", False, (100, None), True),
        (ended(expected=500), "refused", True, (None, None), False),
        (ended(guess=4), "refused", True, (None, None), False),
        (ended(Usage(5, 2)), "refused", True, (5, 2), False),
        (ended(expected=500), "cut stream", True, (100, 0), True),
        (ended(Usage(3, 1), guess=50), "cut stream", True, (3, 50), True),
        (ended(Usage(3, 80), guess=50), "cut stream", True, (3, 80), True),
        (ended(expected=500), "cut", True, (100, 500), True),
        (ended(expected=500, guess=700), "cut", True, (100, 700), True),
        (ended(), "cut", True, (100, TYPICAL_OUTPUT), True),
        (ended(expected=0), "cut", False, (100, None), True),
        (ended(Usage(None, None, 90, 5), guess=1), "whole", True, (5, 1), True),
        (ended(guess=10**15, sent=10**15), "cut", True, (10**9, 10**9), True),
    ],
)
def test_estimates(found, end, writes, counts, estimated):
    """What was said stays; what was not is estimated and marked, never zero for a missing count; refusals are free, and
    a plain answer that was cut counts as written whole."""
    estimate(found, end, round(found.request_bytes / 3.6), writes=writes)
    assert (found.usage.input, found.usage.output) == counts
    assert found.estimated is estimated


def test_the_last_try_ends_as_the_request_did(one):
    """Its status and error are filled in."""
    assert playing(one, CHAT, chat(), good()).tries == [("a0", 200, "", "")]
    played = playing(one, CHAT, chat(), [Silence(99)], cuts={5: CancelReason.CLIENT_GONE})
    assert played.tries == [("a0", 0, "client_gone", "")]
