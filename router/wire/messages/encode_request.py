"""Encodes a Messages request."""

import hashlib
import re
from typing import cast

from router.backends.output_limits import find_output_limit
from router.ir import Request, Text, Thinking, ToolCall, Turn
from router.wire.messages import content as messages_content
from router.wire.messages.tools import EMPTY, NAME_LIMIT, encode_choice, encode_tools
from router.wire.neutral.cache_marks import is_marked
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import Claude, find_claude
from router.wire.neutral.turn_order import order_turns
from router.wire.raw.json_values import Json, get_object

SAMPLING_VERSION, VERSION = "2023-06-01", "2026-10-21"
_START = "(conversation start)"
_JSON_ONLY = "Reply with one JSON object and nothing else."
_PRIVATE = re.compile(r"[@\s]|^\+?[\d-]{7,}$")
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
_LEAST_BUDGET = 1024


def encode_request(request: Request, ctx: Context) -> tuple[Json, dict[str, str]]:
    """The body and the headers that go with it. Raises BadRequest."""
    claude = find_claude(request.model)
    limit = request.max_tokens or find_output_limit(request.model) or claude.max_output
    ctx.own_output_limit = request.max_tokens is None
    body: Json = {"model": request.model, "max_tokens": limit}
    system = _encode_system(request, ctx)
    if system:
        body["system"] = system
    body["messages"] = _encode_messages(request, claude, ctx)
    tools = encode_tools(request, ctx) or _declare_called_tools(request, ctx)
    if tools:
        body["tools"] = tools
    choice = encode_choice(request, ctx)
    if choice is not None:
        body["tool_choice"] = choice
    elif tools and not request.tools:
        body["tool_choice"] = {"type": "none"}
    stop = _encode_stop(request, ctx)
    if stop:
        body["stop_sequences"] = stop
    _put_reasoning(body, request, claude, ctx, limit)
    _put_shape(body, request, ctx)
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
    if request.stream:
        body["stream"] = True
    return body, {"anthropic-version": SAMPLING_VERSION if sampled else VERSION}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _encode_system(request: Request, ctx: Context) -> list[Json]:
    blocks = [
        found for text in request.system if (found := messages_content.encode_block(text, ctx, "messages")) is not None
    ]
    if request.shape is not None and request.shape.schema is None:
        ctx.note_weakened(ctx.caller_path("shape"))
        blocks.append({"type": "text", "text": _JSON_ONLY})
    return blocks


def _encode_messages(request: Request, claude: Claude, ctx: Context) -> list[Json]:
    messages: list[Json] = []
    last = ""
    for turn in order_turns(request.turns, ctx):
        turn = _move_calls_last(_place_system_turn(turn, last, claude, ctx), ctx)
        content = [found for block in turn.blocks if (found := messages_content.encode_block(block, ctx, turn.path))]
        if not content:
            if turn.role == "user":
                raise ctx.refuse(turn.path, "a message without any content cannot be sent")
            continue
        if messages and messages[-1]["role"] == turn.role and turn.role != "system":
            cast("list[Json]", messages[-1]["content"]).extend(content)
        else:
            messages.append({"role": turn.role, "content": content})
        last = turn.role
    if not messages or messages[0]["role"] == "assistant":
        ctx.note_weakened("messages")
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": _START}]})
    _check_prefill(messages, claude, ctx)
    return messages


def _place_system_turn(turn: Turn, last: str, claude: Claude, ctx: Context) -> Turn:
    """A system message within the conversation: as it is where the model supports them, else as tagged user text."""
    if turn.role != "system" or (claude.inline_system and last == "user"):
        return turn
    ctx.note_weakened(turn.path)
    said = "\n".join(block.text for block in turn.blocks if isinstance(block, Text))
    return Turn("user", (Text(f"<system-reminder>\n{said}\n</system-reminder>"),), turn.path)


def _move_calls_last(turn: Turn, ctx: Context) -> Turn:
    """The turn with its calls last: a Chat message has its text in front of its calls, wherever the blocks stood.

    Reasoning behind the last call is dropped.
    """
    calls = [at for at, block in enumerate(turn.blocks) if isinstance(block, ToolCall)]
    if not calls or not any(isinstance(block, Text | Thinking) for block in turn.blocks[calls[0] :]):
        return turn
    front, between, behind = (turn.blocks[: calls[0]], turn.blocks[calls[0] : calls[-1] + 1], turn.blocks[calls[-1] :])
    if any(isinstance(block, Thinking) for block in behind):
        ctx.note_dropped(f"{turn.path}.reasoning")
    late = [block for block in turn.blocks[calls[0] :] if isinstance(block, Text)]
    rest = [block for block in between if not isinstance(block, Text)]
    return Turn(turn.role, (*front, *late, *rest), turn.path)


def _check_prefill(messages: list[Json], claude: Claude, ctx: Context) -> None:
    """Check a last assistant message: in Chat it is history, in Messages the beginning of the answer."""
    if messages[-1]["role"] != "assistant":
        return
    if not claude.prefill:
        raise ctx.refuse("messages", "the last message is the assistant's, and the model does not continue one")
    ctx.note_weakened("messages")
    content = cast("list[Json]", messages[-1]["content"])
    text = content[-1].get("text")
    if isinstance(text, str):
        content[-1]["text"] = text.rstrip()


def _declare_called_tools(request: Request, ctx: Context) -> list[Json]:
    """Declarations of the tools that the history calls, for a request without tools: some endpoints require them."""
    names = [block.name for turn in request.turns for block in turn.blocks if isinstance(block, ToolCall)]
    return [{"name": ctx.names.encode(name, NAME_LIMIT), "input_schema": EMPTY} for name in dict.fromkeys(names)]


def _encode_stop(request: Request, ctx: Context) -> list[str]:
    if any(not entry.strip() for entry in request.stop):
        ctx.note_dropped(ctx.caller_path("stop"))
    return [entry for entry in request.stop if entry.strip()]


def _put_reasoning(body: Json, request: Request, claude: Claude, ctx: Context, limit: int) -> None:
    wanted = request.reasoning
    if wanted is None:
        return
    path = ctx.caller_path("reasoning")
    if wanted.off or wanted.effort == "none":
        body["thinking"] = {"type": "disabled"}
        return
    if claude.adaptive and not wanted.effort:
        body["thinking"] = {"type": "adaptive"}
    elif claude.adaptive:
        effort = "low" if wanted.effort == "minimal" else wanted.effort
        if effort not in claude.efforts:
            effort = "high" if effort == "xhigh" else "low"
        if effort != wanted.effort:
            ctx.note_weakened(path)
        body["thinking"] = {"type": "adaptive"}
        body["output_config"] = {"effort": effort}
    if claude.adaptive:
        if wanted.shown:
            body["thinking"] = {"type": "adaptive", "display": "summarized"}
        return
    if not wanted.effort and not wanted.budget:
        return
    budget = min(wanted.budget or _BUDGETS.get(wanted.effort, 8192), limit - 1)
    forced = request.choice is not None and request.choice.mode in ("any", "tool")
    ctx.note_weakened(path)
    if budget >= _LEAST_BUDGET and not forced and _has_restorable_reasoning(body):
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _has_restorable_reasoning(body: Json) -> bool:
    """False in a tool round whose reasoning was lost: with thinking on, the API requires it."""
    for message in reversed(cast("list[Json]", body["messages"])):
        if message["role"] == "assistant":
            kinds = [block["type"] for block in cast("list[Json]", message["content"])]
            return "tool_use" not in kinds or kinds[0] in ("thinking", "redacted_thinking")
    return True


def _put_shape(body: Json, request: Request, ctx: Context) -> None:
    shape = request.shape
    if shape is None or shape.schema is None:
        return
    ctx.note_weakened(ctx.caller_path("shape"))
    config = get_object(body, "output_config")
    body["output_config"] = {**config, "format": {"type": "json_schema", "schema": shape.schema}}


def _put_sampling(body: Json, request: Request, claude: Claude, ctx: Context) -> bool:
    """Put the sampling parameters that the model accepts; True when any is sent."""
    thinking = body.get("thinking") not in (None, {"type": "disabled"})
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
