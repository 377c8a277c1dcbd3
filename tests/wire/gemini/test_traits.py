"""What a request of Google's API shows of itself before it is decoded."""

import json

import pytest

from router.wire.gemini.traits import find_bound
from router.wire.raw.json.top_level import peek

CONTENTS = [{"parts": [{"text": "x"}]}]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, ""),
        ({"tools": []}, ""),
        ({"tools": [{"functionDeclarations": []}, {"function_declarations": [{"name": "googleSearch"}]}]}, ""),
        ({"tools": [{"functionDeclarations": [], "googleSearch": {}}]}, "tools[0].googleSearch"),
        ({"tools": [{"functionDeclarations": []}, {"url_context": {}}]}, "tools[1].url_context"),
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"cached_content": None}, ""),
        ({"continuation_token": "x"}, "continuation_token"),
        ({"tools": {"googleSearch": {}}}, ""),
        ({"tools": "x"}, ""),
    ],
)
def test_what_only_google_can_serve(fields, found):
    """Tools that run there and what is kept there, in both spellings; what has another form is for others to refuse."""
    assert find_bound(peek(json.dumps({"contents": CONTENTS, **fields}).encode())) == found
