"""The record of a request at its end, and estimates for a generation without usage."""

import json

import pytest

from router.exchange.conclusion import PATH_LIMIT, estimate
from router.ir import Usage
from router.net.server.cancel_reason import CancelReason
from router.telemetry.accesslog import RequestRecord
from router.telemetry.recorder import BYTES_PER_TOKEN

from .attempts import GOOD
from .playbook import playing
from .test_exchange import HELLO
from .upstreams import Break, Silence, answer, says, streams
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
        ([[Break()]], {}, None),
        ([good()], {}, (3, 1)),
    ],
)
def test_usage_that_was_not_said(one, script, options, used):
    """A generation without usage, or one that was cut, is counted by an estimate; a refused one is not."""
    played = playing(one, CHAT, chat(**options), *script)
    record = played.record
    if used == "estimated":
        assert record.estimated
        assert record.usage.input == round(record.request_bytes / BYTES_PER_TOKEN)
        assert record.usage.output == record.guess
    else:
        assert (record.estimated, (record.usage.input, record.usage.output)) == (False, used or (None, None))


def ended(status=200, error="", usage=None, *, guess=0, sent=360, estimated=False):
    made = RequestRecord("req_1", 0.0, "POST", "/v1/messages", status=status, error=error, estimated=estimated)
    made.usage, made.guess, made.request_bytes = usage or Usage(), guess, sent
    return made


@pytest.mark.parametrize(
    ("found", "writes", "counts", "estimated"),
    [
        (ended(usage=Usage(7, 9)), True, (7, 9), False),
        (ended(usage=Usage(0, 0)), True, (0, 0), False),
        (ended(guess=40), True, (100, 40), True),
        (ended(usage=Usage(7, None), guess=40), True, (7, 40), True),
        (ended(usage=Usage(None, 9), guess=40), True, (100, 9), True),
        (ended(usage=Usage(8, None)), False, (8, None), False),
        (ended(), False, (100, None), True),
        (ended(error="upstream_error", status=500), True, (None, None), False),
        (ended(error="upstream_error", status=200, guess=4), True, (None, None), False),
        (ended(error="bad_gateway", status=502), True, (None, None), False),
        (ended(error="client_gone", status=499, estimated=True), True, (100, 0), True),
        (ended(error="client_gone", usage=Usage(3, 1), guess=50, estimated=True), True, (3, 50), True),
        (ended(error="upstream_broke_off", usage=Usage(3, 80), guess=50), True, (3, 80), True),
        (ended(usage=Usage(None, None, 90, 5), guess=1), True, (5, 1), True),
    ],
)
def test_estimates(found, writes, counts, estimated):
    """What was said stays; what was not is estimated and marked, never zero for a missing count; refusals are free."""
    estimate(found, writes=writes)
    assert (found.usage.input, found.usage.output) == counts
    assert found.estimated is estimated


def test_the_last_try_ends_as_the_request_did(one):
    """Its status and error are filled in."""
    assert playing(one, CHAT, chat(), good()).tries == [("a0", 200, "", "")]
    played = playing(one, CHAT, chat(), [Silence(99)], cuts={5: CancelReason.CLIENT_GONE})
    assert played.tries == [("a0", 0, "client_gone", "")]
