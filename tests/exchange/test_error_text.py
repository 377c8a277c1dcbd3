"""The text of an error in the record: short, without secrets, for each attempt and for the request."""

import json

import pytest

from router.errors import Unreachable
from router.net.server.cancel_reason import CancelReason
from router.settings import Secret

from .playbook import playing
from .test_exchange import HELLO
from .upstreams import Break, Silence, answer, says, streams
from .worlds import CHAT, MESSAGES, box, chat, good, in_order, message, refuses, secret_of


def test_no_text_without_an_error(one):
    """A good request has none, and neither has its attempt."""
    record = playing(one, CHAT, chat(), good()).record
    assert (record.text, [one.text for one in record.tries]) == ("", [""])


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (refuses(400, message="max_tokens is too large"), "max_tokens is too large"),
        (refuses(401, message="Incorrect API key provided"), "Incorrect API key provided"),
        (says(403, {"error": "Country not supported"}), "Country not supported"),
        (says(404, {"detail": "no such model"}), "no such model"),
        (says(500, {"type": "error", "error": {"type": "api_error", "message": "boom"}}), "boom"),
        (answer(502, body=b"<html><title>502 Bad\n Gateway</title></html>"), "502 Bad Gateway"),
        (answer(503, body=b"try later"), "try later"),
    ],
)
def test_what_an_upstream_says(one, script, text):
    """The message of the body's own form."""
    record = playing(one, CHAT, chat(), script, *[script] * 3).record
    assert record.text == text
    assert record.tries[-1].text == text


def test_a_translated_error(made):
    """The message is the same in both protocols."""
    runtime = made(box("box", "a0"), settings=in_order())
    record = playing(runtime, MESSAGES, message(), refuses(400, message="no such thing")).record
    assert (record.text, record.tries[-1].text) == ("no such thing", "no such thing")


def test_each_attempt_has_its_own(three):
    """What the first account said is kept though the second one served."""
    record = playing(three, CHAT, chat(), refuses(401, message="key expired"), good()).record
    assert (record.text, [one.text for one in record.tries]) == ("", ["key expired", ""])


def test_errors_of_fairlead(one):
    """Without the advice, which depends on who reads it."""
    record = playing(one, CHAT, chat("other:m")).record
    assert record.text.startswith("No backend serves the model 'other:m'")
    assert "fairlead backend add" not in record.text
    problem = Unreachable("The name box.example could not be resolved (DNS).")
    record = playing(one, CHAT, chat(), unreachable=[problem] * 4).record
    assert "could not be resolved (DNS)" in record.text
    assert record.tries[-1].text == record.text


def test_streams_that_fail(one):
    """An error event, a connection that breaks, and a deadline each leave their text."""
    event = b'data: {"error":{"message":"model crashed","type":"server_error"}}\n\n'
    record = playing(one, CHAT, chat(stream=True), streams(*HELLO[:2], event)).record
    assert (record.error, record.text) == ("upstream_error_event", "model crashed")
    record = playing(one, CHAT, chat(stream=True), streams(*HELLO[:2], Break())).record
    assert record.error == "upstream_broke_off"
    assert "box" in record.text
    record = playing(one, CHAT, chat(stream=True), streams(*HELLO[:2], Silence(1000))).record
    assert record.error == CancelReason.SILENT.name.lower()
    assert "timeouts.idle" in record.text


@pytest.mark.parametrize(
    "secret", [secret_of("a0"), "callers-own-credential", "sk-ant-api03-abcdefghijkl", "own-key-of-the-proxy"]
)
def test_no_secret(one, secret):
    """Keys of the backend, of the caller, of fairlead and what looks like one are removed before the text is cut."""
    one.log.hide([Secret("own-key-of-the-proxy")], always=True)
    for before in ("", "x" * 190):
        script = refuses(401, message=f"{before} wrong key: {secret} given")
        record = playing(one, CHAT, chat(), script, fields=[("authorization", "Bearer callers-own-credential")]).record
        for text in (record.text, record.tries[-1].text):
            assert secret[:12] not in text
            assert len(text.encode()) <= 200
            assert ("[redacted]" in text) is not bool(before)


def test_the_bound(one):
    """200 bytes, whole characters, on one line."""
    record = playing(one, CHAT, chat(), refuses(400, message="\N{EURO SIGN}\n" * 1000)).record
    assert len(record.text.encode()) <= 200
    assert record.text.endswith("...")
    assert "\n" not in record.text


@pytest.mark.parametrize(
    ("fields", "route"),
    [
        ({}, "prefix"),
        ({"aliases": {"fast": "box:m"}, "asked": "fast"}, "alias fast, prefix"),
    ],
)
def test_what_chose_the_backend(made, fields, route):
    """An alias stands before the step."""
    asked = fields.pop("asked", "box:m")
    runtime = made(box("box", "a0"), settings=in_order(**fields))
    record = playing(runtime, CHAT, chat(asked), good()).record
    assert (record.chosen or record.route) == route
    json.dumps(record.fields())
