"""JSON schemas in the form that Gemini takes.

`parametersJsonSchema` and `responseJsonSchema` take JSON Schema; in `parameters` and `responseSchema`, which have a
dialect of their own, one keyword that is not of it spoils the whole request. Beside `$ref` only other keywords with `$`
may stand (https://ai.google.dev/api/caching#FunctionDeclaration).
"""

from collections.abc import Callable

from router.wire.neutral.schemas import GEMINI_JSON, fit_schema
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.schema_references import find_definition

#: The schema of a function without arguments, and of one whose own schema is none of an object.
EMPTY: Json = {"type": "object", "properties": {}}


def fit_to_gemini(schema: Json, note: Callable[[str], None]) -> Json:
    """The schema as Gemini takes it, otherwise unchanged. note: gets the place of each restriction that is left out."""
    root = _resolve_root({key: value for key, value in schema.items() if key != "$schema"})
    return fit_schema(root, GEMINI_JSON, note) or root


def _resolve_root(root: Json) -> Json:
    """A root that is a reference with other keywords beside it, replaced by what it refers to."""
    ref = root.get("$ref")
    definition = find_definition(root, ref) if isinstance(ref, str) else None
    if definition is None:
        return root
    rest = {key: value for key, value in root.items() if key != "$ref"}
    if rest.get("properties") == {}:
        # It is what a schema without a type was completed with.
        del rest["properties"]
    return {**definition, **rest}
