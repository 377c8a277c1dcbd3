"""Encodes a Messages request."""

import hashlib
import re
from typing import cast

import msgspec

from router.backends.output_limits import find_output_limit
from router.ir import Request, Shape, Text, Thinking, ToolCall, Turn
from router.wire.messages.requests import content as messages_content
from router.wire.messages.requests.hosted_tools import MCP_BETA, encode_hosted, select_hosted
from router.wire.messages.requests.thinking import DISABLED, put_reasoning
from router.wire.messages.requests.tools import EMPTY, NAME_LIMIT, encode_choice, encode_tools
from router.wire.neutral.cache_marks import fit_marks, is_marked
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import Claude, find_claude
from router.wire.neutral.schemas import ANTHROPIC, fit_schema
from router.wire.neutral.tool_forms.root_unions import union_tools
from router.wire.neutral.turn_order import order_turns
from router.wire.raw.json.json_values import Json, encode_json, get_object

SAMPLING_VERSION, VERSION = "2023-06-01", "2026-10-21"
_START = "(conversation start)"
_JSON_ONLY = "Reply with one JSON object and nothing else."
_JSON_SCHEMA = "Reply with one JSON value that matches this JSON Schema, and nothing else."
_PRIVATE = re.compile(r"[@\s]|^\+?[\d-]{7,}$")


def encode_request(request: Request, ctx: Context) -> tuple[Json, dict[str, str]]:
    """The body and the headers that go with it. Raises BadRequest."""
    claude = find_claude(request.model)
    request = msgspec.structs.replace(request, turns=tuple(order_turns(request.turns, ctx)))
    request = fit_marks(request, ctx)
    limit = request.max_tokens or find_output_limit(request.model) or claude.max_output
    body: Json = {"model": request.model, "max_tokens": limit}
    ctx.union_tools = union_tools(request)
    system = _encode_system(request, ctx)
    form = _fit_shape(request, claude, ctx)
    if request.shape is not None and form is None:
        system.append(_ask_for_json(request.shape, ctx))
    if system:
        body["system"] = system
    body["messages"] = _encode_messages(request, claude, ctx)
    servers = _put_tools(body, request, claude, ctx)
    stop = _encode_stop(request, ctx)
    if stop:
        body["stop_sequences"] = stop
    put_reasoning(body, request, claude, ctx)
    if form is not None:
        ctx.note_weakened(ctx.caller_path("shape"))
        body["output_config"] = {**get_object(body, "output_config"), "format": {"type": "json_schema", "schema": form}}
    sampled = _put_sampling(body, request, claude, ctx)
    for name in request.shared:
        ctx.note_dropped(ctx.caller_path(name))
    if request.user:
        private = _PRIVATE.search(request.user)
        body["metadata"] = {"user_id": _hash(request.user) if private else request.user}
        if private:
            ctx.note_weakened(ctx.caller_path("user"))
    if request.tier in ("auto", "default"):
        body["service_tier"] = "auto" if request.tier == "auto" else "standard_only"
    if request.cache or (request.cache is None and ctx.auto_cache and not is_marked(request)):
        # OpenAI caches without being asked, so its callers send no marks; without one Messages would not cache.
        body["cache_control"] = {"type": "ephemeral"}
    ctx.assumed_limit = request.max_tokens is None
    if request.stream:
        body["stream"] = True
    headers = {"anthropic-version": SAMPLING_VERSION if sampled else VERSION}
    if servers:
        body["mcp_servers"] = servers
        headers["anthropic-beta"] = MCP_BETA
    return body, headers


def _put_tools(body: Json, request: Request, claude: Claude, ctx: Context) -> list[Json]:
    """Put the tools and the choice among them; the MCP servers that go with them."""
    tools = encode_tools(request, claude, ctx)
    taken = {tool["name"] for tool in tools}
    hosted, servers = encode_hosted(select_hosted(request.hosted, taken, ctx), ctx)
    tools += hosted
    choice = encode_choice(request, claude, ctx) if tools else None
    if choice is not None:
        body["tool_choice"] = choice
    if not tools:
        tools = _declare_called_tools(request, ctx)
        if tools:
            body["tool_choice"] = {"type": "none"}
    if tools:
        body["tools"] = tools
    return servers


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _encode_system(request: Request, ctx: Context) -> list[Json]:
    found = (messages_content.encode_block(text, ctx, "messages") for text in request.system)
    return [block for block in found if block is not None]


def _encode_messages(request: Request, claude: Claude, ctx: Context) -> list[Json]:
    messages: list[Json] = []
    last = ""
    for turn in request.turns:
        turn = _move_calls_last(_place_system_turn(turn, last, claude, ctx), ctx)
        content = [found for block in turn.blocks if (found := messages_content.encode_block(block, ctx, turn.path))]
        if not content:
            if turn.role == "user":
                raise ctx.refuse(f"{turn.path}.content", "a message without any content cannot be sent")
            continue
        if messages and messages[-1]["role"] == turn.role and turn.role != "system":
            cast("list[Json]", messages[-1]["content"]).extend(content)
        else:
            messages.append({"role": turn.role, "content": content})
        last = turn.role
    if not messages or messages[0]["role"] == "assistant":
        ctx.note_weakened(ctx.caller_path("messages"))
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": _START}]})
    _check_prefill(messages, claude, ctx)
    return messages


def _place_system_turn(turn: Turn, last: str, claude: Claude, ctx: Context) -> Turn:
    """A system message within the conversation: as it is where the model supports them, else as tagged user text."""
    if turn.role != "system" or (claude.inline_system and last == "user"):
        return turn
    ctx.note_weakened(turn.path)
    texts = [block for block in turn.blocks if type(block) is Text]
    said = "\n".join(text.text for text in texts)
    cache = next((text.cache for text in reversed(texts) if text.cache), "")
    return Turn("user", (Text(f"<system-reminder>\n{said}\n</system-reminder>", cache),), turn.path)


def _move_calls_last(turn: Turn, ctx: Context) -> Turn:
    """The turn with its calls last: a Chat message has its text in front of its calls, wherever the blocks stood.

    Reasoning behind the last call is dropped.
    """
    calls = [at for at, block in enumerate(turn.blocks) if type(block) is ToolCall]
    if not calls or all(type(block) is not Text and type(block) is not Thinking for block in turn.blocks[calls[0] :]):
        return turn
    front, between, behind = (turn.blocks[: calls[0]], turn.blocks[calls[0] : calls[-1] + 1], turn.blocks[calls[-1] :])
    if any(type(block) is Thinking for block in behind):
        ctx.note_dropped(f"{turn.path}.reasoning")
    late = [block for block in turn.blocks[calls[0] :] if type(block) is Text]
    rest = [block for block in between if type(block) is not Text]
    return Turn(turn.role, (*front, *late, *rest), turn.path)


def _check_prefill(messages: list[Json], claude: Claude, ctx: Context) -> None:
    """Check a last assistant message: in Chat it is history, in Messages the beginning of the answer."""
    if messages[-1]["role"] != "assistant":
        return
    path = ctx.caller_path("messages")
    if not claude.prefill:
        raise ctx.refuse(path, "the last message is the assistant's, and the model does not continue one")
    ctx.note_weakened(path)
    content = cast("list[Json]", messages[-1]["content"])
    text = content[-1].get("text")
    if isinstance(text, str):
        content[-1]["text"] = text.rstrip()


def _declare_called_tools(request: Request, ctx: Context) -> list[Json]:
    """Declarations of the tools that the history calls, for a request without tools: some endpoints require them."""
    names = [block.name for turn in request.turns for block in turn.blocks if type(block) is ToolCall]
    return [{"name": ctx.names.encode(name, NAME_LIMIT), "input_schema": EMPTY} for name in dict.fromkeys(names)]


def _encode_stop(request: Request, ctx: Context) -> list[str]:
    if any(not entry.strip() for entry in request.stop):
        ctx.note_dropped(ctx.caller_path("stop"))
    return [entry for entry in request.stop if entry.strip()]


def _fit_shape(request: Request, claude: Claude, ctx: Context) -> Json | None:
    """The schema of the answer in the form that the model enforces; None where there is no schema or no such form."""
    shape = request.shape
    if shape is None or shape.schema is None or not claude.schemas:
        return None
    path = ctx.paths.get("schema") or f"{ctx.caller_path('shape')}.schema"
    form = fit_schema(shape.schema, ANTHROPIC, lambda where: ctx.note_weakened(f"{path}.{where}"))
    if form is None or not shape.description:
        return form
    about = form.get("description")
    said = f"{shape.description}\n\n{about}" if isinstance(about, str) else shape.description
    return {**form, "description": said}


def _ask_for_json(shape: Shape, ctx: Context) -> Json:
    """The instruction to answer in JSON, for a form that the model does not enforce."""
    ctx.note_weakened(ctx.caller_path("shape"))
    if shape.schema is None:
        return {"type": "text", "text": _JSON_ONLY}
    about = f"{shape.description}\n\n" if shape.description else ""
    return {"type": "text", "text": f"{_JSON_SCHEMA}\n\n{about}{encode_json(shape.schema)}"}


def _put_sampling(body: Json, request: Request, claude: Claude, ctx: Context) -> bool:
    """Put the sampling parameters that the model accepts; True when any is sent."""
    thinking = body.get("thinking") not in (None, DISABLED)
    given = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    sent: Json = {}
    for name, value in given.items():
        if value is None:
            continue
        if not claude.sampling or thinking or (name == "top_p" and "temperature" in sent):
            ctx.note_dropped(name)
        elif name == "temperature" and value > 1:
            ctx.note_weakened(name)
            sent[name] = 1.0
        else:
            sent[name] = value
    body |= sent
    return bool(sent)
