"""Decodes the fields of a Gemini request that say how the answer is to be made: the form, the reasoning, the limits."""

from typing import NamedTuple

from router.backends.profile import EFFORTS
from router.errors import BadRequest
from router.ir import Reasoning, Shape
from router.wire.gemini import names
from router.wire.gemini.requests.schemas_in import convert_json_schema, convert_proto_schema
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

FIELD = "generationConfig"
_PLAIN, _JSON, _ENUM = "text/plain", "application/json", "text/x.enum"
_SCHEMAS = ("responseJsonSchema", "responseSchema")
_READ = names.both(
    *("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "thinkingConfig"),
    *("responseMimeType", "responseFormat", "responseModalities", *_SCHEMAS),
    *("speechConfig", "imageConfig", "audioTranscriptionConfig", "translationConfig"),
)
_READ_OF_THINKING = names.both("includeThoughts", "thinkingBudget", "thinkingLevel")
_REFUSED = {
    "speechConfig": "the backend does not speak",
    "imageConfig": "the backend does not make images",
    "audioTranscriptionConfig": "the backend does not transcribe",
    "translationConfig": "the backend does not translate speech",
}


class Config(NamedTuple):
    """A request's `generationConfig`."""

    data: Json
    #: Its name as the caller spells it.
    path: str

    def name(self, field: str) -> str:
        """The path of a field of it, as the caller spells it."""
        return f"{self.path}.{names.spell(self.data, field)}"

    def number(self, field: str) -> float | None:
        """A number, None for an absent field. Raises BadRequest."""
        return json_values.read_number(names.get(self.data, field), self.name(field))

    def integer(self, field: str, least: int = 0) -> int | None:
        """A whole number, None for an absent field. Raises BadRequest."""
        return names.read_integer(self.data, field, f"{self.path}.", least)


def read_config(data: Json, ctx: Context) -> Config:
    """The `generationConfig` of a request. Raises BadRequest for what would make the answer another thing."""
    path = names.spell(data, FIELD)
    config = Config(json_values.read_object(data.get(path), path), path)
    _refuse_constraints(config, ctx)
    ctx.note_unread(config.data, _READ, f"{path}.")
    return config


def _refuse_constraints(config: Config, ctx: Context) -> None:
    if (config.integer("candidateCount", 1) or 1) > 1:
        raise ctx.refuse(config.name("candidateCount"), "only one candidate can be made there")
    field = config.name("responseModalities")
    wanted = json_values.read_texts(names.get(config.data, "responseModalities"), field)
    if any(one.upper() not in ("TEXT", "MODALITY_UNSPECIFIED") for one in wanted):
        raise ctx.refuse(field, "the backend writes text only")
    for name, why in _REFUSED.items():
        if names.get(config.data, name) is not None:
            raise ctx.refuse(config.name(name), why)


def decode_reasoning(config: Config, ctx: Context) -> Reasoning | None:
    """How much to reason; None where the request does not say. Whether the caller reads it goes into the context: by
    itself it makes no model reason."""
    path = config.name("thinkingConfig")
    form = json_values.read_object(names.get(config.data, "thinkingConfig"), path)
    ctx.note_unread(form, _READ_OF_THINKING, f"{path}.")
    shown = json_values.read_bool(names.get(form, "includeThoughts"), f"{path}.{names.spell(form, 'includeThoughts')}")
    ctx.shows_reasoning = shown is True
    level = names.read_enum(form, "thinkingLevel", f"{path}.").removeprefix("THINKING_LEVEL_UNSPECIFIED").lower()
    ctx.paths["reasoning"] = f"{path}.{names.spell(form, 'thinkingLevel' if level else 'thinkingBudget')}"
    budget = names.read_integer(form, "thinkingBudget", f"{path}.", -1)
    if level and budget is not None:
        raise BadRequest(f"{path}: thinkingLevel and thinkingBudget cannot both be set.")
    if level and level not in EFFORTS:
        raise BadRequest(f"{ctx.paths['reasoning']}: expected one of {', '.join(EFFORTS).upper()}.")
    if level == "none" or budget == 0:
        return Reasoning(off=True)
    if level:
        return Reasoning(effort=level, shown=ctx.shows_reasoning)
    return Reasoning(budget=budget, shown=ctx.shows_reasoning) if budget is not None and budget > 0 else None


def decode_shape(config: Config, ctx: Context) -> Shape | None:
    """The form that the answer must have, None for text."""
    field = config.name("responseMimeType")
    media = json_values.read_text(names.get(config.data, "responseMimeType"), field).strip().lower()
    if names.get(config.data, "responseFormat") is not None:
        return _decode_format(config, ctx)
    if media == _ENUM:
        raise ctx.refuse(field, "an answer that is one of several words cannot be demanded there; ask for JSON")
    if media not in ("", _PLAIN, _JSON):
        raise BadRequest(f"{field}: expected {_PLAIN}, {_JSON} or {_ENUM}.")
    given = [name for name in _SCHEMAS if names.get(config.data, name) is not None]
    if not given:
        ctx.paths["shape"] = field
        return Shape(None) if media == _JSON else None
    if media == _PLAIN:
        raise BadRequest(f"{config.name(given[0])}: a schema needs the {FIELD}.responseMimeType {_JSON}.")
    if len(given) > 1:
        ctx.note_dropped(config.name(given[1]))
    path = ctx.paths["shape"] = ctx.paths["schema"] = config.name(given[0])
    schema = json_values.require_object(names.get(config.data, given[0]), path)
    return Shape(convert_json_schema(schema) if given[0] == _SCHEMAS[0] else convert_proto_schema(schema))


def _decode_format(config: Config, ctx: Context) -> Shape | None:
    """The newer form: a list of what the answer may hold."""
    path = config.name("responseFormat")
    entries = json_values.read_objects(names.get(config.data, "responseFormat"), path)
    for name in ("responseMimeType", *_SCHEMAS):
        if names.get(config.data, name) is not None:
            raise BadRequest(f"{config.name(name)}: it cannot be set beside responseFormat.")
    shape: Shape | None = None
    for at, entry in enumerate(entries):
        for key, value in entry.items():
            if key != "text" and value is not None:
                raise ctx.refuse(f"{path}[{at}].{key[:40]}", "the backend writes text only")
        form = json_values.read_object(entry.get("text"), f"{path}[{at}].text")
        where = f"{path}[{at}].text"
        ctx.note_unread(form, names.both("mimeType", "schema"), f"{where}.")
        schema = json_values.read_object(form.get("schema"), f"{where}.schema")
        media = json_values.read_text(names.get(form, "mimeType"), f"{where}.{names.spell(form, 'mimeType')}").lower()
        if schema or media == _JSON:
            ctx.paths["shape"], ctx.paths["schema"] = where, f"{where}.schema"
            shape = Shape(convert_json_schema(schema) if schema else None)
    return shape
