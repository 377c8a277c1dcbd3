"""The listing that hosts get: as the forms say, in one piece, with nothing that writes or gives out content."""

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest

from router.mcp import answers, inputs, listing
from router.mcp.schemas import REQUEST_URI, RESOURCES, TOOLS, build_listing
from router.operator_api.accounts import ListedAccount
from router.operator_api.explain import Explanation
from router.operator_api.models import ModelReport
from router.operator_api.status import BackendStatus, Status
from router.store.history.read_requests import RecordedAttempt, RecordedRequest

SCRIPT = Path(__file__).parents[2] / "packaging" / "mcp_tools.py"
READ_ONLY = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
# Parts of names that no field of an answer and no tool may have: contents, keys, and what changes something.
FORBIDDEN = (
    "body",
    "bodies",
    "prompt",
    "message",
    "content",
    "capture",
    "secret",
    "token_value",
    "api_key",
    "password",
)
CHANGING = ("add", "set", "remove", "delete", "resume", "stop", "restart", "reload", "run", "write", "clear", "probe")


def walk(schema, path=()):
    """Each schema in a schema, with the names that lead to it."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, (*path, name))
    for inner in (schema.get("items"), schema.get("additionalProperties"), *schema.get("anyOf", ())):
        if isinstance(inner, dict):
            yield from walk(inner, path)


def schemas():
    """Tool, which schema, schema."""
    return [(tool["name"], kind, tool[kind]) for tool in listing.TOOLS for kind in ("inputSchema", "outputSchema")]


def test_the_listing_is_as_the_forms_say():
    """`python packaging/mcp_tools.py` writes it."""
    spec = importlib.util.spec_from_file_location("mcp_tools", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.format_listing() == module.PATH.read_text("utf-8")
    assert build_listing() == {
        "TOOLS": listing.TOOLS,
        "RESOURCES": listing.RESOURCES,
        "TEMPLATES": listing.TEMPLATES,
    }
    assert set(TOOLS) == listing.NAMES


@pytest.mark.parametrize(("name", "kind", "schema"), schemas())
def test_a_schema_is_closed_and_in_one_piece(name, kind, schema):
    """Objects name all they may have, and nothing refers to elsewhere."""
    assert schema["type"] == "object"
    for path, inner in walk(schema):
        assert not {"$ref", "$defs", "title"} & set(inner), path
        if inner.get("type") == "object":
            assert "additionalProperties" in inner, path
            assert inner["additionalProperties"] is not True
        if kind == "outputSchema" and "properties" in inner:
            assert sorted(inner["required"]) == sorted(inner["properties"]), path


def test_every_tool_only_reads():
    """It says so, its name says nothing else, and no answer has a field for content or for a secret."""
    for tool in listing.TOOLS:
        assert tool["annotations"] == READ_ONLY
        assert not any(tool["name"].startswith(word) for word in CHANGING)
        assert not any(word in tool["inputSchema"]["properties"] for word in ("probe", "send", "write"))
        fields = {part for path, _ in walk(tool["outputSchema"]) for part in path}
        assert not {field for field in fields if any(word in field for word in FORBIDDEN)}


def test_the_listing_is_small():
    """Hosts read it at each start, and models may."""
    assert len(json.dumps(listing.TOOLS)) < 24_000
    described = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in listing.TOOLS]
    assert len(json.dumps(described)) < 6_000


@pytest.mark.parametrize(
    ("form", "source", "other"),
    [
        (answers.Backend, BackendStatus, {"problem"}),
        (answers.Status, Status, {"backends", "guard", "problems", "uptime_s", "url"}),
        (answers.Model, ModelReport, set()),
        (answers.Explanation, Explanation, {"problem", "fallback"}),
        (answers.Request, RecordedRequest, {"time", "error_text", "tries"}),
        (answers.RequestRow, RecordedRequest, {"time"}),
        (answers.Attempt, RecordedAttempt, {"text"}),
        (answers.Account, ListedAccount, {"reason", "state", "until_s", "headroom", "limits", "next"}),
    ],
)
def test_a_field_means_what_it_means_to_operators(form, source, other):
    """Fields of the same name have the same type, but for those that are shown in another form."""
    theirs = msgspec.structs.fields(source)
    types = {field.name: field.type for field in theirs}
    shared = {field.name: field.type for field in msgspec.structs.fields(form) if field.name in types}
    assert shared
    assert {name for name, kind in shared.items() if kind != types[name]} <= other


def test_every_question_has_its_defaults():
    """A host may call each tool without arguments, but for the model of a dry run."""
    for name, tool in TOOLS.items():
        required = [field.name for field in msgspec.structs.fields(tool.asked) if field.required]
        assert required == (["model"] if name == "explain" else [])
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"model": "m", "unknown": 1}, tool.asked)
    assert msgspec.convert({}, inputs.Why).id == "latest"


def test_resources_are_tools_with_fixed_arguments():
    """Each that is listed can be read, by the arguments its tool takes."""
    assert {one["uri"] for one in listing.RESOURCES} == set(RESOURCES)
    for name, arguments in RESOURCES.values():
        msgspec.convert(arguments, TOOLS[name].asked)
    assert listing.TEMPLATES[0]["uriTemplate"].startswith(REQUEST_URI)
