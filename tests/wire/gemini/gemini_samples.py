"""Bodies of Google's generateContent, and helpers that decode them, for tests."""

from router.wire.gemini.requests.decode_request import decode_request

from ..translations import PNG, context

BLOB = {"mimeType": "image/png", "data": PNG}
PDF = {"mimeType": "application/pdf", "data": "JVBERi0="}
LOOK = {"name": "look", "description": "d", "parametersJsonSchema": {"type": "object", "properties": {}}}


def asked(*contents, **fields):
    """A request."""
    return {"contents": list(contents), **fields}


def user(*parts, **fields):
    """A content of the user; a text stands for a part of text."""
    return {"role": "user", "parts": [_part(one) for one in parts], **fields}


def model(*parts, **fields):
    """A content of the model."""
    return {"role": "model", "parts": [_part(one) for one in parts], **fields}


def _part(given):
    return {"text": given} if isinstance(given, str) else given


def call(name="look", call_id="c1", args=None, **beside):
    """A part with a call; None leaves the id out."""
    form = {"name": name, "args": {} if args is None else args}
    return {"functionCall": form if call_id is None else {"id": call_id, **form}, **beside}


def response(output="ok", name="look", call_id="c1", **fields):
    """A part with a response; None leaves the id out."""
    form = {"name": name, "response": {"output": output}, **fields}
    return {"functionResponse": form if call_id is None else {"id": call_id, **form}}


def decoded(body, ctx=None, **fields):
    """The neutral request, and its losses as texts."""
    ctx = ctx or context("", **fields)
    return decode_request(body, ctx), [f"{loss.path}={loss.how}" for loss in ctx.losses]


def turns(*contents, ctx=None, **fields):
    """The turns of a conversation, and the losses."""
    request, losses = decoded(asked(*contents, **fields), ctx)
    return request.turns, losses
