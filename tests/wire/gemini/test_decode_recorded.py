"""Requests that real clients sent to Google's API, where recordings are installed."""

import json
import os
from pathlib import Path

import pytest
import yaml

from router.ir import Text, ToolCall, ToolResult

from .gemini_samples import decoded

FIXTURES = Path(os.environ.get("FAIRLEAD_FIXTURES") or Path(__file__).parents[4] / "shared" / "fixtures")
TOOL_ROUND = FIXTURES / "gemini" / "test_google_streaming_tool_call_thought_signature.yaml"


@pytest.mark.skipif(not TOOL_ROUND.exists(), reason="no recording")
def test_a_tool_round_of_pydantic_ai():
    """Keys in both spellings, an id of the client's own, a response of a form of its own, Gemini's signature."""
    entries = yaml.safe_load(TOOL_ROUND.read_text("utf-8"))["interactions"]
    [first, second] = [json.loads(json.dumps(one["request"]["parsed_body"])) for one in entries]
    request, losses = decoded(first)
    assert ([tool.name for tool in request.tools], losses) == (["get_country"], [])
    assert request.tools[0].schema == {"additionalProperties": False, "properties": {}, "type": "object"}
    request, losses = decoded(second)
    name = "pyd_ai_29bf73b69e02448588e15893d47a3e7e"
    assert [turn.blocks for turn in request.turns[1:]] == [
        (ToolCall(name, "get_country", "{}"),),
        (ToolResult(name, (Text('{"return_value":"Mexico"}'),)),),
    ]
    assert losses == ["contents[1].parts[0].thoughtSignature=dropped"]
