"""What a client gets of an answer that is an error, or that no model gave."""

import gzip
import json
import threading

import pytest

from router.exchange.client_response.respond import ERROR_SECONDS, WHOLE_LIMIT
from router.settings.tables import BackendOptions, Edits
from router.wire.raw.json import json_values

from ..attempts import GOOD
from ..playbook import playing
from ..upstreams import JSON, Silence, answer, says
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, message, refuses, response, secret_of
from .test_respond import FILES, GZIP, HTML, JUMP, TEXT

# Answers that are errors


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (JSON, b"", "an empty body"),
        (JSON, b" \n", "an empty body"),
        (HTML, b"<html><title> Log\n in </title>", "an HTML page (Log  in): a login page or proxy may be intercepting"),
        (HTML, b"<html>", "an HTML page: a login page"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_a_success_that_says_nothing_is_an_error(one, path, kind, body, words):
    """A 2xx that is no answer of a model is an error, which says what came instead."""
    asked = {CHAT: chat(), MESSAGES: message(), RESPONSES: response()}[path]
    played = playing(one, path, asked, answer(200, kind, body=body))
    assert played.status == 502
    assert f"Backend box answered 200 with {words}" in played.json()["error"]["message"]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("coding", [b"x-own", b"gzip"])
def test_a_body_in_a_coding_that_cannot_be_read(one, status, coding):
    """The error names the coding, where it said that the body was empty."""
    played = playing(one, CHAT, chat(), answer(status, JSON, (b"content-encoding", coding), body=b"\x01\x02"))
    assert played.status == (502 if status == 200 else 404)
    words = f"Backend box answered {status} with a body in the content coding {coding.decode()}, which cannot be read"
    assert words in played.json()["error"]["message"]


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_an_error_that_is_a_text_inside_a_200(one, path):
    """Servers that put a text under `error` mean an error too."""
    asked = {CHAT: chat(), MESSAGES: message(), RESPONSES: response()}[path]
    played = playing(one, path, asked, says(200, {"error": "out of memory"}))
    assert (played.status, played.json()["error"]["message"]) == (502, "out of memory")


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_an_empty_error_in_front_of_an_answer_is_none(one, nothing):
    """Servers that write all members of an answer have an empty one there; the answer is counted."""
    played = playing(one, CHAT, chat(), says(200, {"error": nothing, **GOOD["chat"]}))
    assert (played.status, played.record.error) == (200, "")
    assert played.record.usage.output == GOOD["chat"]["usage"]["completion_tokens"]


@pytest.mark.parametrize("path", [RESPONSES, FILES])
def test_a_large_coded_answer_is_decoded_in_a_thread(made, monkeypatch, path):
    """What a few kilobytes decode to is megabytes: their JSON is not read on the loop, whatever they hold."""
    threads = set()
    decode = json_values.decode_object

    def watched(data):
        if len(data) > WHOLE_LIMIT:
            threads.add(threading.current_thread())
        return decode(data)

    monkeypatch.setattr(json_values, "decode_object", watched)
    said = {"id": "resp_1", "background": True, "status": "completed", "padding": "x" * 3 * WHOLE_LIMIT, "usage": {}}
    body = gzip.compress(json.dumps({**said, "key": secret_of("a0")}).encode())
    runtime = made(box("box", "a0", protocols=("chat", "responses")), settings=in_order(default_backend="box"))
    asked = response("m") if path == RESPONSES else b""
    played = playing(runtime, path, asked, answer(200, JSON, (b"content-encoding", b"gzip"), body=body), threshold=JUMP)
    assert (played.status, played.whole) == (200, True)
    assert threading.main_thread() not in threads


def test_no_content_is_an_answer(one):
    """A 204 has no body by its meaning."""
    assert playing(one, CHAT, chat(), [b"HTTP/1.1 204 No Content\r\n\r\n"]).status == 204


@pytest.mark.parametrize("coded", [False, True])
def test_an_error_inside_a_200_is_one(three, coded):
    """It counts as the status it should have been, and moves the request."""
    body = b'{"error":{"message":"busy","code":503}}'
    script = answer(200, JSON, *([GZIP] if coded else []), body=gzip.compress(body) if coded else body)
    played = playing(three, CHAT, chat(), script, good())
    assert (played.asked, played.status) == (["a0", "a1"], 200)
    assert played.tries[0] == ("a0", 503, "upstream_error", "moved")
    assert "error inside a 200" in played.record.notes


@pytest.mark.parametrize("coded", [False, True])
def test_an_error_inside_a_200_is_given_as_one(one, coded):
    """With its own status, as JSON, without the coding it came in."""
    body = b'{"error":{"message":"no such model","code":404,"type":"not_found_error"}}'
    fields = [GZIP] if coded else []
    script = answer(200, TEXT, *fields, (b"x-more", b"1"), body=gzip.compress(body) if coded else body)
    played = playing(one, CHAT, chat(), script)
    assert (played.status, played.got) == (404, body)
    assert played.fields[b"content-type"] == b"application/json"
    assert (b"content-encoding" in played.fields, played.fields[b"x-more"]) == (False, b"1")
    assert played.record.error == "upstream_error"


# Errors


def test_an_error_goes_word_for_word(one):
    """JSON of the upstream is the client's, byte for byte."""
    body = b'{ "error" : {"message":"no",  "own": [1]} }'
    played = playing(one, CHAT, chat(), answer(422, JSON, (b"x-more", b"1"), body=body))
    assert (played.status, played.got, played.fields[b"x-more"]) == (422, body, b"1")
    assert (played.record.error, played.record.usage.input) == ("upstream_error", None)


def test_a_list_of_one_error_is_the_error(one):
    """As Gemini sends it: SDKs of OpenAI read the object alone."""
    body = b' [{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}\n]\n'
    played = playing(one, CHAT, chat(), answer(400, JSON, body=body))
    assert (played.status, played.json()["error"]["message"]) == (400, "bad")
    assert played.record.text == "bad"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (HTML, b"<html><TITLE>Bad\x00 gateway</TITLE></html>", "an HTML page (Bad  gateway)"),
        (TEXT, b"<!doctype html>", "an HTML page."),
        (TEXT, b"up\nstream", "the text: up stream"),
        (TEXT, b"x" * 9000, "the text: x"),
        (JSON, b"", "an empty body"),
        (JSON, b'{"half', 'the text: {"half'),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_an_error_that_is_no_json(one, path, kind, body, words):
    """It is quoted in the caller's form, with its status and fields."""
    played = playing(one, path, chat() if path == CHAT else message(), answer(404, kind, (b"x-more", b"1"), body=body))
    assert (played.status, played.fields[b"x-more"]) == (404, b"1")
    assert played.fields[b"content-type"] == b"application/json"
    said = played.json()
    assert f"Backend box answered 404 with {words}" in said["error"]["message"]
    assert len(said["error"]["message"]) < 2200
    if path == MESSAGES:
        assert said["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("coded", [False, True])
def test_a_key_in_an_error_is_hidden(one, coded):
    """Some upstreams repeat the key they refuse: the caller does not get it."""
    body = json.dumps({"error": {"message": f"bad key {secret_of('a0')}"}}).encode()
    fields = [GZIP] if coded else []
    played = playing(one, CHAT, chat(), answer(400, JSON, *fields, body=gzip.compress(body) if coded else body))
    assert played.json() == {"error": {"message": "bad key [redacted]"}}
    assert b"content-encoding" not in played.fields


def test_a_configured_secret_in_an_error_is_hidden(made):
    """Configured headers that look like a credential are as secret as a key."""
    edits = Edits(set_headers={"x-api-key": "sk-configured-0123456789"})
    runtime = made(box("box", "a0"), settings=in_order(backends={"box": BackendOptions(edits=edits)}))
    played = playing(runtime, CHAT, chat(), refuses(400, message="bad sk-configured-0123456789"))
    assert played.json()["error"]["message"] == "bad [redacted]"


def test_a_coded_error_stays_coded(one):
    """Nothing in it is secret: it goes as it came."""
    body = gzip.compress(b'{"error":{"message":"no"}}')
    played = playing(one, CHAT, chat(), answer(400, JSON, GZIP, body=body))
    assert (played.got, played.fields[b"content-encoding"]) == (body, b"gzip")


def test_a_large_error_is_the_last(three):
    """An error that is too large to search for keys is not passed on: an error with its status says so."""
    body = json.dumps({"error": {"message": "x" * (WHOLE_LIMIT + 10)}}).encode()
    played = playing(three, CHAT, chat(), answer(500, JSON, body=body), good())
    assert (played.asked, played.status) == (["a0"], 500)
    assert played.json()["error"]["message"] == (
        "Backend box answered 500 with an error that is too long, or coded too often, to be passed on."
    )


def test_an_error_that_does_not_end(three):
    """Where another account may follow, the rest of an error is waited for a moment alone."""
    head = b"HTTP/1.1 500 No\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{"
    played = playing(three, CHAT, chat(), [head, Silence(99)], good())
    assert (played.asked, played.status, played.record.total) == (["a0", "a1"], 200, ERROR_SECONDS)


def test_the_last_error_is_waited_for(one):
    """Where no other account may follow, a slow error is read to its end."""
    script = refuses(500, message="slow")[0]
    played = playing(one, CHAT, chat(), [script[:-9], Silence(ERROR_SECONDS + 5), script[-9:]])
    assert (played.status, played.json()["error"]["message"]) == (500, "slow")
