"""The message of an error: what the provider behind a gateway said, where the gateway says nothing."""

import json
import os
from pathlib import Path

import pytest

from router.wire import translate_errors
from router.wire.errors.history_text import read_error_text
from router.wire.errors.texts import cut_text

FIXTURES = Path(os.environ.get("FAIRLEAD_FIXTURES") or Path(__file__).parents[4] / "shared" / "fixtures")
RECORDED = FIXTURES / "faults" / "16-provider-returned-error" / "upstream.json"
SAID = "m:free is temporarily rate-limited upstream"


def gateway(raw, message="Provider returned error"):
    return {"error": {"message": message, "code": 429, "metadata": {"provider_name": "Google", "raw": raw}}}


@pytest.mark.parametrize(
    "raw",
    [
        SAID,
        json.dumps({"error": {"message": SAID, "code": 429}}),
        json.dumps({"error": SAID}),
        json.dumps({"message": SAID}),
        json.dumps({"detail": SAID}),
        {"error": {"message": SAID}},
    ],
)
@pytest.mark.parametrize("caller", ["messages", "responses"])
def test_a_gateway_that_says_nothing(raw, caller):
    """The provider's own message is said, to the caller and in the history."""
    body = json.dumps(gateway(raw)).encode()
    status, made = translate_errors.failure(body, 429, "chat", caller)
    assert (status, json.loads(made)["error"]["message"]) == (429, SAID)
    assert read_error_text(body) == SAID


@pytest.mark.parametrize("raw", [None, 7, "", [], {}, "{", "\x00"])
def test_a_gateway_that_hides_nothing(raw):
    """Without a text of the provider its own message stays."""
    body = json.dumps(gateway(raw)).encode()
    said = json.loads(translate_errors.failure(body, 429, "chat", "messages")[1])["error"]["message"]
    assert said in ("Provider returned error", "{")


def test_a_gateway_that_says_something():
    """Its own words are kept where there are any."""
    body = json.dumps(gateway(SAID, "No endpoints found")).encode()
    assert b"No endpoints found" in translate_errors.failure(body, 429, "chat", "messages")[1]


def test_a_long_page_is_cut():
    """What is passed on of a provider's text is bounded, and has no control characters."""
    body = json.dumps(gateway("a\x1b" + "x " * 50_000)).encode()
    said = json.loads(translate_errors.failure(body, 429, "chat", "messages")[1])["error"]["message"]
    assert said == ("a " + "x " * 1022).strip()
    assert "\x1b" not in said


@pytest.mark.skipif(not RECORDED.exists(), reason="recorded answers are not part of the project")
def test_a_recorded_answer():
    """As OpenRouter sent it."""
    raw = json.loads(RECORDED.read_text())["error"]["metadata"]["raw"]
    for caller in ("messages", "responses"):
        assert (
            json.loads(translate_errors.failure(RECORDED.read_bytes(), 429, "chat", caller)[1])["error"]["message"]
            == raw
        )


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a key sk-0123", "a key sk-0123"),
        ("a key sk-01234", "a key"),
        ("a\tkey of\nsk-01", "a\tkey of"),
        ("x" * 14, ""),
    ],
)
def test_no_word_is_left_in_part(text, cut):
    """Half of a key would not be known as one when secrets are removed."""
    assert cut_text(text, 13) == cut
