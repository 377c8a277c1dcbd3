"""Counting tokens in Google's form, models' names in bodies, and signatures that fairlead made."""

import json

import pytest

from router.wire import calls
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.costs.cost_traits import read_cost_traits, read_limit
from router.wire.gemini import carriers, counting, own_signatures
from router.wire.gemini.carriers import CarriedThought
from router.wire.gemini.signatures import PLACEHOLDER, wrap_signature
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import peek

SEALER = StateSealer(make_signer(b"k" * 32), "goo", "gemini-3-flash")


def renamed(body):
    """A body after its model was renamed."""
    raw = json.dumps(body).encode()
    splice = Splice(raw, peek(raw))
    counting.rename_model(splice, "new")
    return json.loads(b"".join(splice.parts()))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"contents": []}, {"contents": []}),
        ({"model": "models/old", "contents": []}, {"model": "models/new", "contents": []}),
        (
            {"requests": [{"model": "models/old", "content": {}}, {"content": {}}]},
            {"requests": [{"model": "models/new", "content": {}}, {"content": {}}]},
        ),
        (
            {"generateContentRequest": {"model": "models/old", "contents": [1]}},
            {"generateContentRequest": {"model": "models/new", "contents": [1]}},
        ),
        (
            {"generate_content_request": {"model": "models/old"}},
            {"generate_content_request": {"model": "models/new"}},
        ),
        ({"requests": "odd", "generateContentRequest": 3}, {"requests": "odd", "generateContentRequest": 3}),
    ],
)
def test_a_model_is_renamed_wherever_a_body_names_it(body, wanted):
    """Google refuses a body whose model is not the path's."""
    assert renamed(body) == wanted


def test_a_request_to_count():
    """The request inside is what is counted; one is made with the model, so that the system prompt counts."""
    inner = {"contents": [{"parts": [{"text": "a"}]}]}
    assert counting.read_counted({"generateContentRequest": inner}) == inner
    assert counting.read_counted({"generate_content_request": inner}) == inner
    assert counting.read_counted(inner) is inner
    assert counting.write_counted(inner, "m") == {"generateContentRequest": {"model": "models/m", **inner}}


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_a_count_in_the_form_of_vertex(name):
    """What is counted stands in the body itself; what Vertex counts nothing of is left out."""
    inner = {"contents": [1], "systemInstruction": {"parts": []}, "tools": [], "generation_config": {"topK": 1}}
    raw = json.dumps({"contents": [2], name: {"model": "models/m", "safetySettings": [], **inner}}).encode()
    splice = Splice(raw, peek(raw))
    assert counting.flatten_counted(splice)
    assert json.loads(b"".join(splice.parts())) == inner


@pytest.mark.parametrize("body", [{"contents": [1]}, {"contents": [1], "generateContentRequest": 3}])
def test_a_count_that_is_flat_stays(body):
    """So does one whose object is none."""
    raw = json.dumps(body).encode()
    splice = Splice(raw, peek(raw))
    assert not counting.flatten_counted(splice)
    assert b"".join(splice.parts()) == raw


def carried(call_id, signature):
    """A signature of fairlead's own on a call. signature: the model's, '' for other reasoning."""
    held = CarriedThought(redacted=wrap_signature(signature)) if signature else CarriedThought("hm", "sig")
    return carriers.pack((held,), carriers.bind_call(call_id), SEALER)


def restored(*parts, model="gemini-3-flash"):
    """The parts of one content after its signatures were restored."""
    raw = json.dumps([{"role": "model", "parts": list(parts)}]).encode()
    found = own_signatures.restore_signatures(raw, SEALER, model)
    return found is raw, json.loads(found)[0]["parts"]


def call(call_id, signature=None):
    """A part with a call."""
    part = {"functionCall": {"id": call_id, "name": "f", "args": {}}}
    return part if signature is None else {**part, "thoughtSignature": signature}


def test_own_signatures_give_way_to_what_google_takes():
    """The model's own signature comes back; else the first call gets the placeholder, and all others none."""
    unchanged, _ = restored({"text": "a", "thoughtSignature": "R29vZ2xl"}, call("c1", "UmVhbA=="))
    assert unchanged
    _, parts = restored(call("c1", carried("c1", "UmVhbA==")), call("c2", carried("c2", "")))
    assert parts == [call("c1", "UmVhbA=="), call("c2")]
    _, parts = restored({"text": "t", "thoughtSignature": carried("x", "")}, call("c1", carried("c1", "")))
    assert parts == [{"text": "t"}, call("c1", PLACEHOLDER)]
    _, parts = restored(call("c1", carried("c1", "")), model="gemini-2.5-flash")
    assert parts == [call("c1")]


def test_a_signature_that_was_moved_is_not_taken():
    """One that stands on another call than it was made for, or was changed, is replaced."""
    _, parts = restored(call("c2", carried("c1", "UmVhbA==")))
    assert parts == [call("c2", PLACEHOLDER)]
    broken = carried("c1", "UmVhbA==")[:-8] + "AAAAAAAA"
    _, parts = restored(call("c1", broken))
    assert parts == [call("c1", PLACEHOLDER)]


def test_the_mark_is_in_every_such_signature():
    """One byte search finds them."""
    assert carried("c1", "x").encode().startswith(own_signatures.MARK)
    assert own_signatures.MARK == b"cnRyMS4A"


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ({"generationConfig": {"maxOutputTokens": 100}}, 100),
        ({"generationConfig": {"max_output_tokens": "100", "candidateCount": 3}}, 300),
        ({"generation_config": {"maxOutputTokens": 100}, "generationConfig": {"maxOutputTokens": 7}}, 100),
        ({"generationConfig": {"maxOutputTokens": "many"}}, None),
        ({"generationConfig": [1]}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_output_limit_is_found_below_the_top_level(config, limit):
    """A budget counts on the highest of all spellings, for all answers together."""
    top = peek(json.dumps({"contents": [], **config}).encode())
    assert read_limit(calls.call("/v1beta/models/m:generateContent"), top) == limit


def test_a_service_tier_is_told():
    """A dearer tier is named in Google's spelling."""
    body = b'{"contents": [], "serviceTier": "priority"}'
    found = read_cost_traits(calls.call("/v1beta/models/m:generateContent"), peek(body), body)
    assert found.tier == "priority"
