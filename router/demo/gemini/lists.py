"""The other endpoints of Google's API: models, counts of tokens, and embeddings."""

import struct

from router.demo.body import Object, as_object, objects, tokens
from router.demo.embeddings import DEFAULT_DIMENSIONS, make_vector, read_dimensions
from router.demo.gemini import fields
from router.demo.gemini.dialect import measure
from router.demo.script import FULL, MODELS, WINDOW
from router.errors import UnknownModel

_METHODS = ("generateContent", "countTokens", "embedContent", "batchEmbedContents")


def list_models() -> object:
    """The answer of GET /v1beta/models; all models are on its one page."""
    return {"models": [_make_entry(name) for name in MODELS]}


def describe_model(name: str) -> object:
    """The answer of GET /v1beta/models/ID; raises UnknownModel."""
    if name not in MODELS:
        raise UnknownModel(f"The demo backend has no model '{name[:200]}'.")
    return _make_entry(name)


def _make_entry(name: str) -> object:
    limits = {"inputTokenLimit": WINDOW, "outputTokenLimit": WINDOW, "thinking": True} if name == FULL else {}
    return {
        "name": f"models/{name}",
        "displayName": name,
        "version": "1",
        "supportedGenerationMethods": list(_METHODS),
        **limits,
    }


def count(body: Object) -> object:
    """The answer of :countTokens, whose request may stand in a field of its own. Raises BadRequest without contents."""
    request = fields.get_object(body, "generateContentRequest") or body
    fields.list_contents(request)
    found = tokens(measure(request))
    return {"totalTokens": found, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": found}]}


def embed(body: Object) -> object:
    """The answer of :embedContent. Raises BadRequest."""
    return {"embedding": _embed(body)}


def embed_several(body: Object) -> object:
    """The answer of :batchEmbedContents, in the order of its requests. Raises BadRequest."""
    return {"embeddings": [_embed(one) for one in objects(body.get("requests"))]}


def _embed(request: Object) -> object:
    text = fields.join_texts(as_object(request.get("content")))
    wanted = fields.get(request, "outputDimensionality")
    dimensions = DEFAULT_DIMENSIONS if wanted is None else read_dimensions(wanted)
    return {"values": struct.unpack(f"<{dimensions}f", make_vector(text.encode(), dimensions))}
