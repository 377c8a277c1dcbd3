"""Fits JSON schemas to the subsets of JSON Schema that providers enforce.

A keyword that a provider does not take is moved into the description, where the model may still follow it, and is
reported. What each provider takes is data: one `SchemaRules` each.
"""

from collections.abc import Callable
from typing import cast

import msgspec

from router.wire.raw.json.json_values import Json, encode_json
from router.wire.raw.json.schema_references import find_definition, is_recursive

STRING: Json = {"type": "string"}
INTEGER: Json = {"type": "integer"}
#: How deep a schema may nest.
DEPTH_LIMIT = 60
#: How many schemas a schema may hold once its references are replaced by what they refer to.
SIZE_LIMIT = 5000
_NAME_LIMIT = 40
#: Keywords that hold schemas: by name, in a list, and one by itself.
MAPS = frozenset(("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"))
LISTS = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
SINGLES = frozenset(
    ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties")
)
# Keywords that say nothing about values, and are of no use to a model.
_IDENTITY = frozenset(("$schema", "$id", "$comment", "$anchor", "$vocabulary"))
# Keywords that explain but do not restrict: nothing is lost when the description says them.
_ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly")
)
# One of them tells what a value is.
_TELLING = frozenset(("type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"))
_DEFINITIONS = ("$defs", "definitions")


def build_object_schema(required: tuple[str, ...], **properties: Json) -> Json:
    """The schema of an object with these properties. required: the names of those that must be present."""
    return {"type": "object", "properties": properties, "required": list(required)}


class SchemaRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider takes of JSON Schema."""

    #: The keywords it takes; None for all.
    keywords: frozenset[str] | None = None
    #: The values of `format` it takes; None for all.
    formats: frozenset[str] | None = None
    #: The values of `minItems` it takes; None for all.
    min_items: frozenset[int] | None = None
    #: Parts of regular expressions, none of which a `pattern` may hold.
    pattern_refused: tuple[str, ...] = ()
    #: Every object must exclude properties that it does not name.
    closed: bool = False
    #: Every property must be required.
    all_required: bool = False
    #: The root must be an object, and no union.
    root_object: bool = False
    #: A definition may refer to itself.
    recursive: bool = True
    #: `$ref` is taken; without it, references are replaced by what they refer to.
    references: bool = True
    #: A reference may have other keywords beside it.
    ref_siblings: bool = True
    #: `type` may be a list; without it, a list with null becomes `nullable`, another one a union.
    type_lists: bool = True
    #: Every schema must tell what a value is.
    typed: bool = False


class _UnfitError(Exception):
    """The schema has no form that the provider takes and that still means the same."""


def _ignore(where: str) -> None:
    pass


def fit_schema(schema: Json, rules: SchemaRules, note: Callable[[str], None] = _ignore) -> Json | None:
    """The schema in the form that a provider takes. None when there is none that the same values satisfy: a recursive
    one where the provider takes no recursion, an object of any properties where all must be closed, one nested over
    DEPTH_LIMIT. The caller then sends it without enforcement, and reports that.

    The input is not changed; keys keep their order, so that a schema always becomes the same bytes.
    note: gets the place of each restriction that the provider will not enforce, as `properties.score.minimum`.
    """
    try:
        return _Fitter(schema, rules).fit(note)
    except _UnfitError:
        return None


def fits(schema: Json, rules: SchemaRules) -> bool:
    """True when a provider takes the schema as it is."""
    return fit_schema(schema, rules) == schema


class _Fitter:
    """One schema on its way into another form."""

    def __init__(self, root: Json, rules: SchemaRules):
        self._root = root
        self._rules = rules
        # The keys on the way from the root to the present schema.
        self._path: list[str] = []
        self._notes: list[str] = []
        # The references that are being replaced.
        self._inside: list[str] = []
        self._size = 0

    def fit(self, note: Callable[[str], None]) -> Json:
        rules, root = self._rules, self._root
        if not rules.recursive and is_recursive(root):
            raise _UnfitError
        if rules.root_object:
            root = self._resolve_root(root)
            if root.get("type") != "object" or not LISTS.isdisjoint(root):
                raise _UnfitError
        found = self._fit(root)
        for where in self._notes:
            note(where)
        return cast("Json", found)

    def _resolve_root(self, root: Json) -> Json:
        """A root that is only a reference, replaced by the definition."""
        ref = root.get("$ref")
        definition = find_definition(self._root, ref) if isinstance(ref, str) else None
        if definition is None:
            return root
        return {**definition, **{key: value for key, value in root.items() if key != "$ref"}}

    def _fit(self, value: object) -> object:
        """One schema within the schema."""
        self._size += 1
        if len(self._path) > DEPTH_LIMIT or self._size > SIZE_LIMIT:
            raise _UnfitError
        if not isinstance(value, dict):
            if self._rules.typed:
                raise _UnfitError
            return value
        node = cast("Json", value)
        if "$ref" in node:
            return self._fit_reference(node)
        node = self._rewrite(node)
        out: Json = {}
        said: dict[str, object] = {}
        for key, held in node.items():
            if self._is_needless(key):
                continue
            if self._takes(key, held):
                out[key] = self._fit_keyword(key, held, said)
                continue
            said[key] = held
            if key not in _ANNOTATIONS:
                self._note(key)
        self._close(node, out, said)
        if self._rules.typed and _TELLING.isdisjoint(out):
            raise _UnfitError
        if said:
            out["description"] = _describe(out.get("description"), said)
        return out

    def _is_needless(self, key: str) -> bool:
        """True for a keyword whose absence changes nothing."""
        rules = self._rules
        if key in _IDENTITY:
            return rules.keywords is not None and key not in rules.keywords
        return key in _DEFINITIONS and not rules.references

    def _takes(self, key: str, value: object) -> bool:
        rules = self._rules
        if rules.keywords is not None and key not in rules.keywords:
            return False
        if key == "format":
            return rules.formats is None or value in rules.formats
        if key == "minItems":
            return rules.min_items is None or value in rules.min_items
        if key == "pattern":
            return isinstance(value, str) and not any(part in value for part in rules.pattern_refused)
        if key == "items":
            # A list of schemas is the form that older drafts have for tuples.
            return rules.keywords is None or not isinstance(value, list)
        if key == "enum" and rules.typed:
            return all(not isinstance(one, dict | list) for one in cast("list[object]", value or ()))
        return True

    def _fit_keyword(self, key: str, value: object, said: dict[str, object]) -> object:
        """The value of a keyword that is taken. said: gets the descriptions that references cannot hold."""
        if key in MAPS and isinstance(value, dict):
            entries: Json = {}
            for name, one in cast("Json", value).items():
                entries[name] = self._fit_at((key, name), one)
                if key == "properties" and not self._rules.ref_siblings and isinstance(one, dict) and "$ref" in one:
                    about = cast("Json", one).get("description")
                    if isinstance(about, str) and about and entries[name].keys() == {"$ref"}:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
                        said[name] = about
            return entries
        if key in LISTS and isinstance(value, list):
            return [self._fit_at((key, str(at)), one) for at, one in enumerate(cast("list[object]", value))]
        if key in SINGLES and isinstance(value, dict):
            return self._fit_at((key,), cast("object", value))
        return value

    def _fit_at(self, keys: tuple[str, ...], value: object) -> object:
        self._path += keys
        found = self._fit(value)
        del self._path[-len(keys) :]
        return found

    def _note(self, key: str) -> None:
        self._notes.append(".".join(name[:_NAME_LIMIT] for name in (*self._path, key)))

    def _rewrite(self, node: Json) -> Json:
        """The schema with keywords replaced that have another spelling which the provider takes."""
        taken = self._rules.keywords
        if taken is None:
            return node
        members = node.get("allOf")
        if isinstance(members, list) and len(cast("list[object]", members)) == 1:
            rest = {key: value for key, value in node.items() if key != "allOf"}
            only = cast("list[object]", members)[0]
            if isinstance(only, dict) and "$ref" not in only and (rest.keys() - _DEFINITIONS) <= _ANNOTATIONS:
                node = {**cast("Json", only), **rest}
        if "oneOf" in node and "oneOf" not in taken and "anyOf" not in node:
            # Values that fit several of the schemas are no longer excluded.
            self._note("oneOf")
            node = {("anyOf" if key == "oneOf" else key): value for key, value in node.items()}
        if "const" in node and "const" not in taken and "enum" not in node:
            node = {
                ("enum" if key == "const" else key): [value] if key == "const" else value for key, value in node.items()
            }
        kinds = node.get("type")
        if isinstance(kinds, list) and not self._rules.type_lists:
            node = _split_types(node, cast("list[object]", kinds))
        if self._rules.typed and _TELLING.isdisjoint(node):
            kind = "object" if "properties" in node else "array" if "items" in node else ""
            node = {"type": kind, **node} if kind else node
        return node

    def _close(self, node: Json, out: Json, said: dict[str, object]) -> None:
        """Exclude the properties that an object does not name, and check that all others are required."""
        rules = self._rules
        kind = node.get("type")
        if kind != "object" and "properties" not in node and not (isinstance(kind, list) and "object" in kind):
            return
        named = _read_object(node.get("properties"))
        if rules.closed:
            more = node.get("additionalProperties")
            free = more is not False if "properties" not in node else more not in (None, False)
            if not named and (free or "patternProperties" in node):
                # Closed, it could only be empty.
                raise _UnfitError
            if more not in (None, False):
                self._note("additionalProperties")
            said.pop("additionalProperties", None)
            out["additionalProperties"] = False
        if rules.all_required:
            required = node.get("required")
            listed = cast("list[object]", required) if isinstance(required, list) else []
            if {name for name in listed if isinstance(name, str)} != named.keys():
                raise _UnfitError

    def _fit_reference(self, node: Json) -> object:
        rules, ref = self._rules, node["$ref"]
        definition = find_definition(self._root, ref) if isinstance(ref, str) else None
        if definition is None or not isinstance(ref, str):
            raise _UnfitError
        beside = {key: value for key, value in node.items() if key not in ("$ref", *_DEFINITIONS)}
        if not rules.references:
            if ref in self._inside:
                raise _UnfitError
            self._inside.append(ref)
            found = self._fit({**definition, **beside})
            self._inside.pop()
            return found
        out: Json = {"$ref": ref}
        for key in _DEFINITIONS:
            if key in node:
                out[key] = self._fit_keyword(key, node[key], {})
        for key, value in beside.items():
            if rules.ref_siblings and self._takes(key, value):
                out[key] = self._fit_keyword(key, value, {})
            elif key not in _ANNOTATIONS and key not in _IDENTITY:
                self._note(key)
        return out


def _read_object(value: object) -> Json:
    """The value if it is an object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def _split_types(node: Json, kinds: list[object]) -> Json:
    """A schema whose type is a list, with a single type each."""
    rest = {key: value for key, value in node.items() if key != "type"}
    others = [kind for kind in kinds if kind != "null"]
    out: Json = {"type": others[0] if others else "null"}
    if len(others) > 1 and "anyOf" not in rest:
        out = {"anyOf": [{"type": kind} for kind in others]}
    out |= rest
    if len(others) < len(kinds) and others:
        out["nullable"] = True
    return out


def _describe(description: object, said: dict[str, object]) -> str:
    """The description with keywords that are not taken behind it."""
    listed = ", ".join(
        f"{key}: {value if isinstance(value, str) else encode_json(value)}" for key, value in said.items()
    )
    return f"{description}\n\n{{{listed}}}" if isinstance(description, str) and description else f"{{{listed}}}"


_STRUCTURE = frozenset(
    ("type", "title", "description", "enum", "properties", "required", "additionalProperties", "items", "anyOf")
)
_REFERENCES = frozenset(("$ref", *_DEFINITIONS))
_NUMBERS = frozenset(("minimum", "maximum"))

#: Anthropic's structured outputs and strict tools
#: (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
ANTHROPIC = SchemaRules(
    keywords=_STRUCTURE | _REFERENCES | {"const", "default", "allOf", "format", "minItems", "pattern"},
    formats=frozenset(
        ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"),
    ),
    min_items=frozenset((0, 1)),
    # Look-arounds, flags, word boundaries, back references, and counts, of which only small ones are taken.
    pattern_refused=("(?", "\\b", "\\B", "\\k", "{", *(f"\\{digit}" for digit in range(1, 10))),
    closed=True,
    recursive=False,
    ref_siblings=False,
    typed=True,
)
#: OpenAI's strict mode (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).
OPENAI_STRICT = SchemaRules(
    keywords=_STRUCTURE
    | _REFERENCES
    | _NUMBERS
    | {"const", "format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "multipleOf"}
    | {"exclusiveMinimum", "exclusiveMaximum", "$schema"},
    formats=frozenset(("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")),
    closed=True,
    all_required=True,
    root_object=True,
    ref_siblings=False,
    typed=True,
)
#: Groq's strict mode has OpenAI's rules (https://console.groq.com/docs/structured-outputs).
GROQ_STRICT = OPENAI_STRICT
#: Mistral's strict mode: its SDK closes every object and leaves the rest as it is.
MISTRAL_STRICT = SchemaRules(closed=True)
#: The schema objects of Gemini, whose OpenAI-compatible endpoint refuses a request with any other keyword
#: (https://ai.google.dev/api/caching#Schema).
GEMINI = SchemaRules(
    keywords=_STRUCTURE
    | _NUMBERS
    | {"format", "nullable", "minItems", "maxItems", "minLength", "maxLength", "pattern", "minProperties"}
    | {"maxProperties", "default", "example", "propertyOrdering"},
    recursive=False,
    references=False,
    type_lists=False,
)
#: Gemini's own API, where JSON Schema may stand beside its schema objects: only references must stand alone.
GEMINI_JSON = SchemaRules(ref_siblings=False)
