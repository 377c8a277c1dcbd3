"""Recorded streams of Gemini, which are not part of the project; their tests are skipped where they are not there."""

import json
import os
from pathlib import Path

import pytest
import yaml

FIXTURES = Path(os.environ.get("FAIRLEAD_FIXTURES") or Path(__file__).parents[4] / "shared" / "fixtures") / "gemini"
NAMES = (
    "google-text.chunks.txt",
    "google-stream-tool-call-arguments.chunks.txt",
    "google-stream-tool-call-array-arguments-missing-terminal-function-call.chunks.txt",
    "toolCallRequest.response-streaming.json",
    "simpleRequestTruncated.response-streaming.json",
    "test_google_streaming_tool_call_thought_signature.yaml#0",
    "test_google_streaming_tool_call_thought_signature.yaml#1",
)


def read_stream(name):
    """The bytes of a recorded stream, framed as Google frames them."""
    file, _, number = name.partition("#")
    path = FIXTURES / file
    if not path.exists():
        pytest.skip(f"no recording {file}")
    if number:
        recorded = yaml.safe_load(path.read_text("utf-8"))["interactions"][int(number)]
        return recorded["response"]["body"]["string"].encode()
    if path.suffix == ".json":
        return frame(json.loads(path.read_text("utf-8")))
    return b"".join(b"data: " + line + b"\r\n\r\n" for line in path.read_bytes().splitlines() if line)


def frame(chunks):
    """Chunks as the events of a stream."""
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in chunks)
