"""A stored answer is shown as it was given, and its input items are listed in pages, with ids that can be named."""

from urllib.parse import urlencode

import msgspec
import pytest

from router.errors import BadRequest
from router.wire import stored_responses, translate
from router.wire.protocols import BY_NAME
from router.wire.raw.json.top_level import peek
from router.wire.responses.decode_request import NotStored

from .translations import context

DIGITS = "0123456789abcdef" * 3
FIRST, SECOND = (stored_responses.make_id(digit + DIGITS) for digit in "ab")
SAID = {"role": "user", "content": "hello"}
ANSWER = {"id": "msg_9", "type": "message", "role": "assistant", "status": "completed", "content": []}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "21"}
ENTRIES = {
    FIRST: {"previous": "", "items": [SAID, ANSWER], "inputs": 1, "response": {"id": FIRST}},
    SECOND: {"previous": FIRST, "items": [CALL, RESULT, ANSWER | {"id": "msg_10"}], "inputs": 2, "response": {}},
}


def page(name, entries=ENTRIES, **query):
    """A page of an answer's items."""
    return stored_responses.list_inputs(name, entries, urlencode(query, doseq=True))[0]


def ids(found):
    return [item["id"] for item in found["data"]]


def test_own_ids_are_told_from_those_of_vendors():
    """Only what fairlead made has its mark, whatever it was made of."""
    assert stored_responses.is_own_id(FIRST)
    assert FIRST != SECOND
    for name in ("resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "resp_1", FIRST + "0", FIRST[:-1], ""):
        assert not stored_responses.is_own_id(name), name


def test_an_answer_is_shown_with_its_output():
    """The response object gets the items of the answer back; one of an earlier version is not invented."""
    assert stored_responses.build_response(ENTRIES[FIRST]) == {"id": FIRST, "output": [ANSWER]}
    assert stored_responses.build_response({"previous": "", "items": [SAID]}) is None


def test_input_items_are_complete():
    """An item that the caller sent in short has an id, a type, a status and its content as parts in the list."""
    [item] = page(FIRST)["data"]
    assert item == {
        "id": f"msg_{FIRST[5:]}i0",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "hello"}],
    }
    parts = [{"type": "input_image", "image_url": "u"}, {"type": "input_text", "text": "t"}]
    sent = [{"role": "user", "content": parts}, {"role": "assistant", "content": "so"}, {"type": "reasoning"}, CALL]
    entries = {FIRST: {"previous": "", "items": sent, "inputs": 4, "response": {}}}
    image, written, reasoning, call = page(FIRST, entries, order="asc")["data"]
    assert image["content"] == [{"detail": "auto", **parts[0]}, parts[1]]
    assert written["content"] == [{"type": "output_text", "text": "so", "annotations": []}]
    assert reasoning == {"type": "reasoning", "id": f"rs_{FIRST[5:]}i2"}
    assert call == {**CALL, "status": "completed", "id": f"fc_{FIRST[5:]}i3"}


def test_items_of_the_answers_before_are_listed_too():
    """An answer was made of all that came before it; the newest item stands first unless asked otherwise."""
    whole = [f"msg_{FIRST[5:]}i0", "msg_9", f"fc_{SECOND[5:]}i0", f"fco_{SECOND[5:]}i1"]
    assert ids(page(SECOND, order="asc")) == whole
    assert ids(page(SECOND)) == ids(page(SECOND, order="desc")) == whole[::-1]
    assert stored_responses.list_inputs(SECOND, ENTRIES, "")[1] is True
    alone = {SECOND: ENTRIES[SECOND]}
    found, complete = stored_responses.list_inputs(SECOND, alone, "order=asc")
    assert (ids(found), complete) == (whole[2:], False)


def test_pages_of_items():
    """Pages follow each other without a gap, and the last says so; bounds and cursors are checked."""
    seen, after = [], {}
    while True:
        found = page(SECOND, limit=3, order="asc", **after)
        assert (found["object"], found["first_id"], found["last_id"]) == ("list", ids(found)[0], ids(found)[-1])
        seen += ids(found)
        if not found["has_more"]:
            break
        after = {"after": found["last_id"]}
    assert seen == ids(page(SECOND, order="asc"))
    assert ids(page(SECOND, order="asc", before=seen[2])) == seen[:2]
    empty = page(SECOND, order="asc", after=seen[-1])
    assert empty == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=%C2%B2", "limit"),
        ("limit=", "limit"),
        ("order=up", "order"),
        ("after=msg_0", "after"),
        ("before=msg_0", "before"),
    ],
)
def test_a_page_that_cannot_be_asked_for(query, param):
    """What is wrong is named; nothing is guessed."""
    with pytest.raises(BadRequest) as caught:
        stored_responses.list_inputs(SECOND, ENTRIES, query)
    assert caught.value.param == param


def test_includes_are_taken_in_both_spellings():
    """SDKs write include[]; all there is to include is shown anyway."""
    for query in ("include[]=reasoning.encrypted_content&limit=1", "include=message.input_image.image_url&limit=1"):
        assert len(stored_responses.list_inputs(SECOND, ENTRIES, query)[0]["data"]) == 1


@pytest.mark.parametrize("name", [f"msg_{FIRST[5:]}i0", "msg_9"])
def test_listed_ids_can_be_named(name):
    """An item is found by the id that its list gave it."""
    body = b'{"model":"m","input":[{"type":"item_reference","id":"%b"}]}' % name.encode()
    ctx = context()
    named = BY_NAME["responses"].stored.named(body)
    assert named[0] == name
    ctx.stored = {FIRST: ENTRIES[FIRST], "msg_9": ANSWER | {"content": [{"type": "output_text", "text": "hello"}]}}
    sent = translate.request(body, "responses", "chat", ctx)
    assert b'"content":"hello"' in sent.body
    assert not ctx.losses
    assert name == "msg_9" or FIRST in named


@pytest.mark.parametrize(("name", "refused"), [(FIRST, True), ("resp_1", False), (None, False), (7, False)])
def test_no_backend_is_asked_for_an_own_id(name, refused):
    """A passed-through request that continues an answer of fairlead is refused, in words that name the way on."""
    top = peek(msgspec.json.encode({"model": "m", "input": "x", "previous_response_id": name}))
    check = BY_NAME["responses"].stored.check_passed_through
    if not refused:
        check(top, "openai")
        return
    with pytest.raises(NotStored, match="Send the whole conversation") as caught:
        check(top, "openai")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
