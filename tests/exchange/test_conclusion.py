"""What the record of a request holds at its end, and what is counted of a generation that did not say."""

import json

import pytest

from router.exchange.conclusion import PATH_LIMIT, estimate
from router.ir import Usage
from router.net.server.connection import CancelReason
from router.telemetry.accesslog import Record
from router.telemetry.recorder import BYTES_PER_TOKEN

from .attempts import GOOD
from .playbook import playing
from .test_exchange import HELLO
from .upstreams import Break, Silence, answer, says, streams
from .worlds import CHAT, MESSAGES, box, chat, good, in_order, message, refuses


def test_the_record_of_a_good_request(one):
    """All that the log, the history and the budgets tell of it."""
    record = playing(one, CHAT, chat(), good(), fields=[("x-app", "cli"), ("x-claude-code-session-id", "s")]).record
    assert (record.backend, record.account, record.route, record.sent_model) == ("box", "a0", "prefix", "m")
    assert (record.protocol, record.model, record.stream) == ("chat", "box:m", False)
    assert (record.status, record.error, record.attempts) == (200, "", 1)
    assert record.root == "https://box.example/v1"
    assert record.client == "claude-code"
    assert record.request_bytes == len(json.dumps(chat()))
    assert (record.usage.input, record.usage.output, record.estimated) == (3, 1, False)
    assert (record.notes, record.losses) == (("model renamed",), "")


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
    one.recorder.finished = stored.append
    one.settings = None
    path = "/v1/responses/" + "x" * 500
    playing(one, path, b"", answer(404), method="GET")
    assert [len(record.path) for record in stored] == [PATH_LIMIT]


def test_captured_bodies_are_not_stored_with_the_record(one):
    """They have a place of their own."""
    stored = []
    one.recorder.finished = stored.append
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
        ([[Break()]], {}, None),
        ([good()], {}, (3, 1)),
    ],
)
def test_usage_that_was_not_said(one, script, options, used):
    """A generation that says nothing of its usage, or was cut, is counted by an estimate; one that was refused not."""
    played = playing(one, CHAT, chat(**options), *script)
    record = played.record
    if used == "estimated":
        assert record.estimated
        assert record.usage.input == round(record.request_bytes / BYTES_PER_TOKEN)
        assert record.usage.output == record.guess
    else:
        assert (record.estimated, (record.usage.input, record.usage.output)) == (False, used or (None, None))


@pytest.mark.parametrize(
    ("record", "writes", "counted"),
    [
        ({"status": 200, "request_bytes": 36, "guess": 7}, True, (10, 7)),
        ({"status": 200, "request_bytes": 36, "guess": 7}, False, (10, None)),
        ({"status": 200, "request_bytes": 36, "guess": 7, "usage": Usage(cache_read=4, cache_write=3)}, True, (3, 7)),
        ({"status": 200, "request_bytes": 3, "usage": Usage(cache_read=40)}, True, (0, 0)),
        ({"status": 200, "usage": Usage(5, 2)}, True, (5, 2)),
        ({"status": 200, "usage": Usage(5, 2), "error": "silent", "guess": 9}, True, (5, 9)),
        ({"status": 200, "usage": Usage(5, 20), "error": "silent", "guess": 9}, True, (5, 20)),
        ({"status": 429, "error": "upstream_error", "request_bytes": 36}, True, (None, None)),
        ({"status": 503, "error": "stopping", "request_bytes": 36}, True, (None, None)),
        ({"status": 504, "error": "total", "request_bytes": 36, "guess": 4}, True, (10, 4)),
        ({"status": 499, "error": "client_gone", "request_bytes": 36, "estimated": True}, True, (10, 0)),
    ],
)
def test_what_an_estimate_says(record, writes, counted):
    """Bytes of the request, pieces of the answer; what stood in a cache is not counted twice."""
    made = Record("r", 0.0, "POST", CHAT, **record)
    estimate(made, writes=writes)
    assert (made.usage.input, made.usage.output) == counted
    assert made.estimated is (counted not in ((None, None), (5, 2)) or record.get("estimated", False))


def test_the_last_try_ends_as_the_request_did(one):
    """Its status and error are filled in."""
    assert playing(one, CHAT, chat(), good()).tries == [("a0", 200, "", "")]
    played = playing(one, CHAT, chat(), [Silence(99)], cuts={5: CancelReason.CLIENT_GONE})
    assert played.tries == [("a0", 0, "client_gone", "")]
