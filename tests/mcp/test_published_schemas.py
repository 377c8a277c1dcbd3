"""Every kind of answer is as the protocol's published schemas say, in the newest revision of each era."""

import json
from pathlib import Path

import jsonschema
import pytest

from router.mcp import listing
from router.mcp.protocol import encode
from router.mcp.serve import Server

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
FOLDER = Path(__file__).parent / "schemas"
CALL = {"name": "status", "arguments": {}}
OLD, NEW = "2025-11-25", "2026-07-28"
# Revision, method, parameters, the definition of its result.
ANSWERS = [
    (OLD, "initialize", {"protocolVersion": OLD, "capabilities": {}}, "InitializeResult"),
    (OLD, "ping", {}, "EmptyResult"),
    (NEW, "server/discover", {}, "DiscoverResult"),
    *(
        (revision, method, params, form)
        for revision in (OLD, NEW)
        for method, params, form in (
            ("tools/list", {}, "ListToolsResult"),
            ("tools/call", CALL, "CallToolResult"),
            ("tools/call", {**CALL, "name": "why"}, "CallToolResult"),
            ("resources/list", {}, "ListResourcesResult"),
            ("resources/templates/list", {}, "ListResourceTemplatesResult"),
            ("resources/read", {"uri": "fairlead://status"}, "ReadResourceResult"),
        )
    ),
]


class Tools:
    """Tools that answer at once; `why` fails."""

    def call(self, name, arguments):
        content = [{"type": "text", "text": "{}"}]
        return {"content": content, "isError": True} if name == "why" else {"content": content, "structuredContent": {}}

    def read(self, uri):
        return "{}"


class Sent:
    """What the server sends."""

    def __init__(self):
        self.open = True
        self.messages = []

    def write(self, message):
        self.messages.append(json.loads(encode(message)))

    def is_read(self):
        return True


def answer(revision, method, params):
    """The whole message that answers a request."""
    sent = Sent()
    server = Server(sent, Tools)
    params = {**params, **({"_meta": META} if revision == NEW else {})}
    server.take(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
    server.finish()
    [message] = sent.messages
    return message


def check(value, revision, form):
    """Raise what the schema refuses."""
    schema = json.loads((FOLDER / f"{revision}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{form}"}).validate(value)


@pytest.mark.parametrize(("revision", "method", "params", "form"), ANSWERS)
def test_a_result_is_as_published(revision, method, params, form):
    """By its own definition, and as a message."""
    message = answer(revision, method, params)
    check(message["result"], revision, form)
    check(message, revision, "JSONRPCResultResponse")


@pytest.mark.parametrize("revision", [OLD, NEW])
@pytest.mark.parametrize(
    ("method", "params"), [("nothing", {}), ("tools/call", {"name": "nothing"}), ("tools/list", {"cursor": "x"})]
)
def test_an_error_is_as_published(revision, method, params):
    """With the id of its request."""
    check(answer(revision, method, params), revision, "JSONRPCErrorResponse")


def test_the_refusal_of_a_revision_is_as_published():
    """With the revisions that are known."""
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "1900-01-01"}
    check(answer(OLD, "tools/list", {"_meta": meta}), NEW, "UnsupportedProtocolVersionError")


@pytest.mark.parametrize("kind", ["inputSchema", "outputSchema"])
@pytest.mark.parametrize("tool", listing.TOOLS, ids=lambda tool: tool["name"])
def test_the_schemas_of_a_tool_are_schemas(tool, kind):
    """Of the dialect that counts where none is named."""
    jsonschema.Draft202012Validator.check_schema(tool[kind])


def test_the_schemas_refuse_what_is_wrong():
    """Else all of the above would pass for nothing."""
    message = answer(NEW, "tools/list", {})
    del message["result"]["ttlMs"]
    with pytest.raises(jsonschema.ValidationError):
        check(message["result"], NEW, "ListToolsResult")
