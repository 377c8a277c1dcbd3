"""Several calls that a model wrapped into one."""

import json

import pytest

from router.wire.neutral.tool_forms.wrapped_calls import unwrap_calls


def wrapper(*uses):
    return json.dumps({"tool_uses": list(uses)})


ONE = {"recipient_name": "functions.f", "parameters": {"b": 1, "a": [2]}}


def test_calls_of_declared_tools():
    """In their order, with their arguments as compact JSON."""
    other = {"recipient_name": "g", "parameters": {}}
    assert unwrap_calls(wrapper(ONE, other), {"f", "g"}) == [("f", '{"b":1,"a":[2]}'), ("g", "{}")]


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{",
        "[]",
        "{}",
        wrapper(),
        wrapper(1),
        wrapper({"recipient_name": "f"}),
        wrapper({"recipient_name": "f", "parameters": "x"}),
        wrapper(ONE, {"recipient_name": "functions.g", "parameters": {}}),
        json.dumps({"tool_uses": "x"}),
    ],
)
def test_anything_else_is_left_as_it_is(arguments):
    """Also when one of them is of an undeclared tool."""
    assert unwrap_calls(arguments, {"f"}) == []
