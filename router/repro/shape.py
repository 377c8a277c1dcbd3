"""Shapes the JSON of requests and answers: the structure, numbers and words of the protocols stay, texts are filled.

Which strings are content is decided by where they stand. What a protocol defines is known by name; below members that
users fill as they like (the input of a tool, metadata, the properties of a schema) names are content too.
"""

import json
import re
from typing import Any, Literal, cast

from router.repro.fill import Names, fill_address, fill_binary, fill_number, fill_text, is_address
from router.repro.json_text import fill_json_text
from router.repro.vocabulary import PROTOCOL_WORDS

#: What the members of an object are: defined by a protocol, a user's, JSON Schema, schemas by a user's names, or of
#: the result of a call in Google's API, which holds what is the user's in its `response`.
Mode = Literal["protocol", "free", "schema", "schemas", "result"]
_SCHEMAS = frozenset(
    (
        *("input_schema", "parameters", "schema", "responseSchema", "parametersJsonSchema", "responseJsonSchema"),
        *("response_schema", "parameters_json_schema", "response_json_schema"),
    )
)
_RESULTS = ("functionResponse", "function_response")
_FREE = frozenset(
    (
        *("metadata", "client_metadata", "logit_bias", "variables", "args", "arguments", "environment", "env"),
        *("chat_template_kwargs", "extra_body", "labels", "filters", "examples", "input_examples"),
    )
)
_NAMED_SCHEMAS = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
_KEYWORDS = frozenset(
    (
        *("type", "format", "items", "prefixItems", "required", "enum", "const", "default", "description", "title"),
        *("additionalProperties", "anyOf", "allOf", "oneOf", "not", "if", "then", "else", "pattern", "$ref", "$schema"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "contains", "minProperties", "maxProperties", "propertyNames"),
        *("nullable", "deprecated", "readOnly", "writeOnly", "examples", "strict", *_NAMED_SCHEMAS),
    )
)
_DIALECT = re.compile(r"https?://json-schema\.org/[a-z0-9/#-]{0,40}")
_BINARY = frozenset(
    ("data", "signature", "encrypted_content", "file_data", "b64_json", "thoughtSignature", "thought_signature", "diff")
)
_JSON_TEXTS = frozenset(("arguments", "partial_json"))
_CONTENT = frozenset(
    (
        *(
            "text",
            "thinking",
            "content",
            "instructions",
            "system",
            "prompt",
            "description",
            "title",
            "summary",
            "query",
        ),
        *("input", "output", "reasoning", "reasoning_content", "refusal", "cited_text", "document_title", "delta"),
    )
)
_MODELS = frozenset(("model", "modelVersion", "served_model"))
_MODEL = re.compile(r"[\w.:/@+\[\]-]{1,128}")
_NAMES = frozenset(
    ("name", "id", "user", "prompt_cache_key", "safety_identifier", "namespace", "filename", "server_label")
)
# A field that no protocol is known to have. With digits or capitals it may be anything.
_PLAIN_NAME = re.compile(r"[a-z]{2,20}(?:_[a-z]{1,20}){0,4}")
_ERROR_TEXTS = frozenset(("message", "detail", "msg", "error", "error_description", "reason", "title", "param", "raw"))
_CODE = re.compile(r"[a-z][a-z_.]{1,60}")
_CODES = frozenset(("code", "type", "status", "error_code", "kind"))
# Nesting that no client sends and Python could not follow.
_DEEPEST = 200


class Filled(str):
    """A text that was filled before."""

    __slots__ = ()


class TooDeep(Exception):
    """The JSON is nested too deep to be shaped."""


class Shaper:
    """Shapes all bodies of one capture, so that names stay the same among them."""

    def __init__(self) -> None:
        self.names = Names()

    def shape_json(self, text: str, *, error: bool = False) -> str | None:
        """The text of a JSON value, shaped; None for one that is not JSON. error: it is an error answer."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return write_like(text, self.shape_value(value, error=error))

    def shape_value(self, value: Any, *, error: bool = False) -> Any:
        """As `shape_json`, for a decoded value. Raises TooDeep."""
        return self._shape(value, "", "protocol", 0, error=error)

    def _shape(self, value: Any, key: str, mode: Mode, depth: int, *, error: bool) -> Any:
        if depth > _DEEPEST:
            raise TooDeep
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return self._shape_object(members, mode, depth, error=error)
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return [self._shape(item, key, mode, depth + 1, error=error) for item in items]
        if isinstance(value, str):
            return self._shape_string(value, key, mode, error=error)
        if mode in ("free", "schema") and isinstance(value, int | float) and not isinstance(value, bool):
            return json.loads(fill_number(json.dumps(value)))
        return value

    def _shape_object(self, value: dict[str, Any], mode: Mode, depth: int, *, error: bool) -> dict[str, Any]:
        failed = error or value.get("type") == "error"
        out: dict[str, Any] = {}
        for key, inner in value.items():
            below = _choose_mode(key, inner, mode)
            if mode == "protocol" and below == "protocol" and key not in PROTOCOL_WORDS:
                below = "free"  # what an unknown field holds
            within = failed or (mode == "protocol" and key == "error" and inner is not None)
            out[self._shape_key(key, mode)] = self._shape(inner, key, below, depth + 1, error=within)
        return out

    def _shape_key(self, key: str, mode: Mode) -> str:
        if key in PROTOCOL_WORDS or (mode == "schema" and key in _KEYWORDS):
            return key
        if mode == "protocol" and _PLAIN_NAME.fullmatch(key):
            self.names.kept.add(key)
            return key
        return self.names.rename(key)

    def _shape_string(self, value: str, key: str, mode: Mode, *, error: bool) -> str:
        if not value or isinstance(value, Filled):
            return str(value)
        if mode == "schema":
            return self._shape_schema_string(value, key)
        if mode == "protocol":
            if error and (key in _ERROR_TEXTS or not key):
                return self.names.fill_error(value)
            if error and key in _CODES and _CODE.fullmatch(value):
                return value
            if key in _MODELS and _MODEL.fullmatch(value):
                return value
            if value in PROTOCOL_WORDS and key not in _CONTENT:
                return value
            if key in _JSON_TEXTS:
                return self._count("texts", fill_json_text(value, self.names.rename, PROTOCOL_WORDS.__contains__))
            if key in _NAMES or key.endswith(("_id", "_ids")):
                return self.names.rename(value)
        if is_address(value):
            return self._count("addresses", fill_address(value))
        if key in _BINARY:
            return self._count("binary data", fill_binary(value))
        return self._count("texts", fill_text(value))

    def _shape_schema_string(self, value: str, key: str) -> str:
        if key in ("type", "format") and value in PROTOCOL_WORDS:
            return value
        if key == "$schema" and _DIALECT.fullmatch(value):
            return value
        if key == "required":
            return value if value in PROTOCOL_WORDS else self.names.rename(value)
        if key == "$ref":
            parts = value.split("/")
            return "/".join(
                part if part in _KEYWORDS or part in PROTOCOL_WORDS or part == "#" else self.names.rename(part)
                for part in parts
            )
        return self._count("texts", fill_text(value))

    def _count(self, kind: str, filled: str) -> str:
        self.names.counts[kind] += 1
        return filled


def write_like(text: str, value: Any) -> str:
    """A JSON value in the style of a text: with spaces behind its separators or without."""
    spaced = '": ' in text[:200]
    return json.dumps(value, ensure_ascii=text.isascii(), separators=None if spaced else (",", ":"))


def _choose_mode(key: str, value: Any, mode: Mode) -> Mode:
    """The mode of a member's value."""
    if mode == "free":
        return "free"
    if mode == "schemas":
        return "schema"
    if mode == "result":
        return "free" if key == "response" else "protocol"
    if mode == "protocol" and key in _RESULTS:
        return "result"
    if mode == "schema":
        if key in _NAMED_SCHEMAS:
            return "schemas"
        return "free" if key in ("default", "const", "examples") and isinstance(value, dict | list) else "schema"
    if key in _SCHEMAS:
        return "schema"
    # In Responses `input` is the conversation, elsewhere what a tool is called with.
    return "free" if key in _FREE or (key == "input" and isinstance(value, dict)) else "protocol"
