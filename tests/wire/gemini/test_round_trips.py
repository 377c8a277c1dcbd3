"""A request of Google's API that fairlead wrote is read again as it was meant: written once more it is the same."""

import itertools
import json

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.errors import BadRequest
from router.ir import Request, Text, Turn
from router.wire.gemini.requests.decode_request import decode_request
from router.wire.gemini.requests.encode_request import encode_request

from ..translations import context
from .test_sent_legal import requests, turns

MODEL = "gemini-3.6-flash"


def encoded(asked):
    body, _ = encode_request(asked, context("gemini", model=MODEL))
    return json.loads(msgspec.json.encode(body))


def read(body):
    return msgspec.structs.replace(decode_request(body, context("gemini", model=MODEL)), model=MODEL)


@settings(max_examples=200)
@given(said=st.lists(turns(MODEL), min_size=1, max_size=6))
def test_conversations(said):
    """Contents, with calls, their ids, responses, images and documents."""
    body = encoded(Request(model=MODEL, turns=(Turn("user", (Text("go"),)), *said)))
    # Other protocols have no such images, so the reader refuses them.
    body = json.loads(json.dumps(body).replace("image/heic", "image/webp"))
    # Genuine signatures belong to the upstream, and are no reasoning that could be read.
    for content in body["contents"]:
        for part in content["parts"]:
            if "thoughtSignature" in part and "functionCall" not in part:
                del part["thoughtSignature"]
    # Data directly behind a response is read as part of it: clients show so what a tool has read.
    for content in body["contents"]:
        kinds = [next(key for key in part if key != "thoughtSignature") for part in content["parts"]]
        pairs = itertools.pairwise(kinds)
        assume(not any(one == "functionResponse" and other in ("inlineData", "fileData") for one, other in pairs))
    again = encoded(read(body))
    assert strip(again) == strip(body)


def strip(body):
    """The contents without signatures, which the reader does not take for reasoning, and with joined texts."""
    found = []
    for content in body["contents"]:
        parts = []
        for part in content["parts"]:
            if "text" in part and parts and "text" in parts[-1]:
                parts[-1] = {"text": parts[-1]["text"] + part["text"]}
            else:
                parts.append({key: one for key, one in part.items() if key != "thoughtSignature"})
        found.append({**content, "parts": parts})
    return found


@settings(max_examples=200)
@given(data=st.data())
def test_settings(data):
    """Everything beside the conversation."""
    asked = msgspec.structs.replace(
        data.draw(requests(MODEL)), turns=(Turn("user", (Text("go"),)),), continues=False, user="", shared={}
    )
    try:
        body = encoded(asked)
    except BadRequest:
        return
    again = encoded(read(body))
    # Thoughts to read, and no word of how much to think, are not read as a wish to think.
    if body.get("generationConfig", {}).get("thinkingConfig") == {"includeThoughts": True}:
        del body["generationConfig"]["thinkingConfig"]
        again.setdefault("generationConfig", {}).pop("thinkingConfig", None)
    # The mode that holds without a choice is not read as one.
    if body.get("toolConfig") == {"functionCallingConfig": {"mode": "AUTO"}}:
        del body["toolConfig"]
    assert again == body
