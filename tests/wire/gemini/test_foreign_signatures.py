"""A conversation without signatures that its upstream refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.gemini.carriers import MARK
from router.wire.gemini.foreign_signatures import REFUSED, drop_foreign_signatures

from .legality import PLACEHOLDER

OWN, REAL = MARK + "AAAA", "Eq0CCqoC"


def call(signature=None, **fields):
    part = {"functionCall": {"name": "look", "args": {"b": 1.0, "a": 2}}, **fields}
    return part if signature is None else {**part, "thoughtSignature": signature}


def text(signature=None):
    return {"text": "so"} if signature is None else {"text": "so", "thoughtSignature": signature}


def replaced(*answers):
    """The parts of each answer of the model afterwards; None where nothing changed."""
    contents = []
    for parts in answers:
        contents += [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": list(parts)}]
    found = drop_foreign_signatures(json.dumps({"contents": contents, "x": 1}).encode())
    return None if found is None else [one["parts"] for one in json.loads(found)["contents"] if one["role"] == "model"]


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        (b"Function call is missing a thought_signature in functionCall parts.", True),
        (b"Corrupted thought signature.", True),
        (b"Thought signature is not valid", True),
        (b"contents[1].parts[0].thoughtSignature: Base64 decoding failed", True),
        (b"Invalid value at 'contents'", False),
    ],
)
def test_what_google_says(said, is_it):
    """In each of its spellings."""
    assert (REFUSED.search(said) is not None) is is_it


def test_own_signatures_go_and_genuine_ones_stay():
    """A first call gets the placeholder in place of what another upstream's answer left; elsewhere nothing stays."""
    assert replaced(
        [text(), call(REAL), call()], [call(OWN), call(OWN)], [text(OWN)], [call(PLACEHOLDER)], [call()]
    ) == [
        [text(), call(REAL), call()],
        [call(PLACEHOLDER), call()],
        [text()],
        [call(PLACEHOLDER)],
        [call(PLACEHOLDER)],
    ]


def test_without_own_signatures_all_go():
    """They belong to another model."""
    assert replaced([text(REAL), call(REAL), call(REAL)], [text(REAL)]) == [
        [text(), call(PLACEHOLDER), call()],
        [text()],
    ]


def test_missing_signatures():
    """A call that lost its own gets the placeholder."""
    assert replaced([call(), call()]) == [[call(PLACEHOLDER), call()]]


def test_other_spelling():
    """A client may write names in snake_case."""
    part = {"function_call": {"name": "look"}, "thought_signature": REAL}
    assert replaced([part]) == [[{**part, "thought_signature": PLACEHOLDER}]]


@pytest.mark.parametrize("answers", [(), ([text()],), ([call(PLACEHOLDER), call()],)])
def test_nothing_to_change(answers):
    """The request is not sent again as it was."""
    assert replaced(*answers) is None


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["model", REAL, OWN])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["contents", "role", "parts", "functionCall", "thoughtSignature"]), inner, max_size=4
        )
    ),
)


@given(VALUES)
def test_any_body(contents):
    """Whatever a body holds, no signature of fairlead is left on a part of the model."""
    body = json.dumps({"contents": contents}).encode()
    found = json.loads(drop_foreign_signatures(body) or body)["contents"]
    answers = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    for one in answers:
        parts = one.get("parts")
        for part in parts if one.get("role") == "model" and isinstance(parts, list) else []:
            assert not isinstance(part, dict) or part.get("thoughtSignature") != OWN
