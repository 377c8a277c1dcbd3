"""A request as an agent describes it in words: so long, with tools, with an image. It is only ever explained."""

import json
from typing import Any

from router.policy.facts.token_estimates import FIRST_RATIO

# A picture of one pixel.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def build_sample(protocol: str, model: str, *, tokens: int, tools: bool, images: bool) -> bytes:
    """The body of a request. tokens: about how many its text has."""
    text = "word " * int(tokens * FIRST_RATIO / 5) or "Hello"
    make = {"messages": _make_messages, "responses": _make_responses}.get(protocol, _make_chat)
    return json.dumps({"model": model, **make(text, tools, images)}).encode()


def _make_messages(text: str, tools: bool, images: bool) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": _PIXEL}
    content = [{"type": "text", "text": text}, *([{"type": "image", "source": source}] if images else [])]
    body: dict[str, Any] = {"max_tokens": 1024, "messages": [{"role": "user", "content": content}]}
    return body | ({"tools": [{"name": "sample", "input_schema": _PARAMETERS}]} if tools else {})


def _make_chat(text: str, tools: bool, images: bool) -> dict[str, Any]:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}
    content = [{"type": "text", "text": text}, *([picture] if images else [])]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    function = {"name": "sample", "parameters": _PARAMETERS}
    return body | ({"tools": [{"type": "function", "function": function}]} if tools else {})


def _make_responses(text: str, tools: bool, images: bool) -> dict[str, Any]:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{_PIXEL}"}
    content = [{"type": "input_text", "text": text}, *([picture] if images else [])]
    body: dict[str, Any] = {"input": [{"role": "user", "content": content}]}
    return body | ({"tools": [{"type": "function", "name": "sample", "parameters": _PARAMETERS}]} if tools else {})
