"""JSON schemas in the form that a Chat upstream takes."""

from router.wire.neutral.context import Context
from router.wire.neutral.schemas import GEMINI, MISTRAL_STRICT, fit_schema, fits
from router.wire.openai import is_strict_schema
from router.wire.raw.json.json_values import Json, encode_json


def fit_to_upstream(schema: Json, path: str, ctx: Context) -> Json:
    """The schema without keywords for which the upstream refuses the whole request; the description says what they
    said, and each is noted. path: the caller's path of the schema."""
    if ctx.profile.schemas != "gemini":
        return schema
    fitted = fit_schema(schema, GEMINI, lambda where: ctx.note_weakened(f"{path}.{where}"))
    if fitted is not None:
        return fitted
    ctx.note_weakened(path)
    return {"type": "object", "description": f"An object of this JSON schema: {encode_json(schema)}"}


def is_enforced(schema: Json, ctx: Context) -> bool:
    """True when the upstream's strict mode takes the schema as it is."""
    if ctx.profile.schemas == "mistral":
        return fits(schema, MISTRAL_STRICT)
    return is_strict_schema(schema)
