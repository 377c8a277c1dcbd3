"""Requests go to the account that issued the ids they name."""

import pytest

from ..attempts import GOOD
from ..playbook import playing
from ..upstreams import says, streams
from ..worlds import CHAT, RESPONSES, box, chat, good, in_order, response

# Seconds that a thread may take for a large answer before the clock jumps.
JUMP = 5
CREATED = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_5"}}\n\n'
    b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,'
    b'"output_index":0}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":{"id":"resp_5"}}\n\n'
)


@pytest.fixture
def pair(made):
    """Two backends with two accounts each."""
    first, second = (box(name, f"{name}-a", f"{name}-b", protocols=("responses", "chat")) for name in ("box", "other"))
    return made(first, second, settings=in_order(default_backend="box"))


def owner(runtime, name):
    found = runtime.resource_owners.known([name])
    return None if found is None else found[1][:3]


@pytest.mark.parametrize(
    ("script", "body"),
    [
        (good("responses"), response(store=True)),
        (says(200, {**GOOD["responses"], "padding": "x" * (3 << 20)}), response(store=True)),
    ],
)
def test_an_answer_is_remembered(pair, script, body):
    """Small or large: its id, with the account that gave it."""
    played = playing(pair, RESPONSES, body, script, threshold=JUMP)
    assert played.status == 200
    assert owner(pair, "resp_1") == ("box", "box-a", "responses")


def test_a_stream_is_remembered(pair):
    """A stream's id is the one at its beginning."""
    playing(pair, RESPONSES, response(store=True, stream=True), streams(CREATED))
    assert owner(pair, "resp_5") == ("box", "box-a", "responses")


@pytest.mark.parametrize(
    ("path", "body", "script"),
    [
        (RESPONSES, response(), good("responses")),
        (RESPONSES, response(store=True), says(400, GOOD["responses"])),
        (CHAT, chat(), good()),
        (RESPONSES, response(stream=True), streams(CREATED)),
    ],
)
def test_what_is_not_stored_is_not_remembered(pair, path, body, script):
    """Errors, and answers that cannot be requested later, are not remembered."""
    playing(pair, path, body, script)
    assert [owner(pair, name) for name in ("resp_1", "resp_5", "c1")] == [None] * 3


def test_a_translated_answer_is_not_remembered(made):
    """Its id was made here."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, RESPONSES, response(store=True), good())
    assert owner(runtime, played.json()["id"]) is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/responses/resp_9", b""),
        ("POST", "/v1/responses/resp_9/cancel", b""),
        ("POST", RESPONSES, response("m", previous_response_id="resp_9")),
        ("POST", RESPONSES, response("m", conversation={"id": "resp_9"})),
    ],
)
def test_an_id_leads_to_its_account(pair, method, path, body):
    """Whatever the model's route would be, in the path and in the body."""
    pair.resource_owners.remember("resp_9", "other", "other-b", "responses")
    played = playing(pair, path, body, good("responses"), method=method)
    assert (played.asked, played.fields[b"x-fairlead-backend"]) == (["other-b"], b"other")


def test_an_attached_file_leads_to_its_account(pair):
    """Its id stands deep in the body."""
    pair.resource_owners.remember("file-1", "other", "other-b", "files")
    parts = [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]
    assert playing(pair, RESPONSES, response("m", input=parts), good("responses")).asked == ["other-b"]


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_created_file_is_remembered(pair, size):
    """By the id in its answer, as far as one can be read."""
    made = says(200, {"id": "file-7", "object": "file", "padding": "x" * size})
    playing(pair, "/v1/files", {"purpose": "batch"}, made)
    assert owner(pair, "file-7") == ("box", "box-a", "files")


def test_an_account_that_is_gone_is_any(pair):
    """The backend is still the right one."""
    pair.resource_owners.remember("resp_9", "other", "removed", "responses")
    body = response("m", previous_response_id="resp_9")
    assert playing(pair, RESPONSES, body, good("responses")).asked == ["other-a"]


def test_a_created_file_in_two_pieces_is_remembered(pair):
    """An answer that may issue an id is held until it is whole, wherever the id stands in it."""
    made = says(200, {"object": "file", "id": "file-7"})[0]
    playing(pair, "/v1/files", {"purpose": "batch"}, [made[:-12], made[-12:]])
    assert owner(pair, "file-7") == ("box", "box-a", "files")
