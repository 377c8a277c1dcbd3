"""Decodes a Messages request."""

from router.errors import BadRequest
from router.ir import Reasoning, Request, Shape, Text, Turn
from router.wire.messages.requests import content
from router.wire.messages.requests.hosted_tools import is_search_forced
from router.wire.messages.requests.tools import decode_choice, decode_tools
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_ATTRIBUTION = "x-anthropic-billing-header:"
_READ = frozenset(
    (
        *("model", "max_tokens", "messages", "system", "stop_sequences", "stream", "metadata", "tools", "tool_choice"),
        *(
            "thinking",
            "output_config",
            "output_format",
            "cache_control",
            "service_tier",
            "temperature",
            "top_p",
            "top_k",
        ),
        *("thread", "container", "mcp_servers", "compaction", "inference_geo", "billing_policy"),
    )
)
_TURN_FIELDS = frozenset(("role", "content", "id", "clear_at", "output_config"))
_THINKING_FIELDS = frozenset(("type", "budget_tokens", "display"))
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


class ThreadUnsupported(BadRequest):
    """400 in the form on which the official SDKs fall back to requests without threads."""

    def __init__(self, message: str):
        super().__init__(message)
        self.details = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def decode_request(data: Json, ctx: Context) -> Request:
    """The neutral request. Raises BadRequest with the path of a field that is wrong or cannot be carried over."""
    _refuse_constraints(data, ctx)
    ctx.paths |= {
        "stop": "stop_sequences",
        "user": "metadata.user_id",
        "shape": "output_config.format" if data.get("output_config") else "output_format",
        "reasoning": "thinking" if "thinking" in data else "output_config.effort",
        "parallel": "tool_choice.disable_parallel_tool_use",
        "tier": "service_tier",
        "cache": "cache_control",
    }
    config = json_values.read_object(data.get("output_config"), "output_config")
    for name, value in data.items():
        if name not in _READ and value is not None:
            ctx.note_dropped(name[:40])
    ctx.note_unread(config, frozenset(("effort", "format")), "output_config.")
    tools, hosted = decode_tools(data, ctx)
    choice, parallel = decode_choice(data)
    if choice is not None and choice.mode == "tool" and is_search_forced(hosted):
        choice = None
    tier = json_values.read_text(data.get("service_tier"), "service_tier")
    return Request(
        model=json_values.read_text(data.get("model"), "model"),
        system=_decode_system(data.get("system"), ctx),
        turns=_decode_turns(data, ctx),
        tools=tools,
        hosted=hosted,
        choice=choice if tools else None,
        parallel=parallel if tools else None,
        max_tokens=_decode_max_tokens(data),
        stop=json_values.read_texts(data.get("stop_sequences"), "stop_sequences"),
        temperature=json_values.read_number(data.get("temperature"), "temperature"),
        top_p=json_values.read_number(data.get("top_p"), "top_p"),
        top_k=json_values.read_integer(data.get("top_k"), "top_k"),
        reasoning=_decode_reasoning(data, config, ctx),
        shape=_decode_shape(data, config, ctx),
        user=_decode_user(data, ctx),
        tier={"auto": "auto", "standard_only": "default"}.get(tier, ""),
        stream=data.get("stream") is True,
        cache=True if data.get("cache_control") is not None else None,
        continues=True,
    )


def _refuse_constraints(data: Json, ctx: Context) -> None:
    """Raise BadRequest for fields that would change the answer's meaning if they were left out."""
    if data.get("thread") is not None:
        raise ThreadUnsupported("thread: message threads are not kept here; send the whole conversation.")
    reasons = {
        "compaction": "a compaction block can only come from Anthropic",
        "inference_geo": "where the backend computes is not known",
        # Claude Code takes exactly this answer, and then checks actions by requests of its own.
        "safeguards": "the checks of actions are made by Anthropic only",
    }
    for name, why in reasons.items():
        if data.get(name):
            raise ctx.refuse(name, why)
    container = data.get("container")
    if isinstance(container, dict) and container.get("skills"):  # pyright: ignore[reportUnknownMemberType]
        raise ctx.refuse("container.skills", "skills run at Anthropic only")
    if container:
        ctx.note_dropped("container")
    if json_values.read_object(data.get("billing_policy"), "billing_policy").get("bill_to") == "user_profile":
        raise ctx.refuse("billing_policy", "another account cannot be billed")


def _decode_max_tokens(data: Json) -> int:
    found = json_values.read_integer(data.get("max_tokens"), "max_tokens")
    if found is None:
        raise BadRequest("max_tokens: the field is required.")
    if found == 0:
        raise BadRequest("max_tokens: warming a cache with 0 tokens works at Anthropic only.")
    return found


def _decode_system(value: object, ctx: Context) -> tuple[Text, ...]:
    if isinstance(value, str):
        blocks = [Text(value)]
    else:
        entries = json_values.read_objects(value, "system")
        for at, entry in enumerate(entries):
            ctx.note_unread(entry, content.FIELDS["text"], f"system[{at}].")
        blocks = [content.decode_text(entry, f"system[{at}]") for at, entry in enumerate(entries)]
    # Claude Code's billing line differs in each request, which would prevent prompt cache hits at other vendors.
    return tuple(block for block in blocks if block.text and not block.text.startswith(_ATTRIBUTION))


def _decode_turns(data: Json, ctx: Context) -> tuple[Turn, ...]:
    entries = json_values.read_objects(data.get("messages"), "messages")
    if not entries:
        raise BadRequest("messages: at least one message is required.")
    last_user = max((at for at, entry in enumerate(entries) if entry.get("role") == "user"), default=-1)
    turns: list[Turn] = []
    for at, entry in enumerate(entries):
        path = f"messages[{at}]"
        role = entry.get("role")
        if role not in ("user", "assistant", "system"):
            raise BadRequest(f"{path}.role: expected user, assistant or system.")
        ctx.note_unread(entry, _TURN_FIELDS, f"{path}.")
        if role == "system" and entry.get("clear_at") == "next_user_message" and last_user > at:
            continue
        if role == "system" and entry.get("output_config"):
            ctx.note_dropped(f"{path}.output_config")
        try:
            blocks = content.decode_content(entry.get("content"), role, path, ctx)
        except RecursionError:
            raise BadRequest(f"{path}.content: it is nested too deep.") from None
        if not blocks and role == "user":
            # Without this message the assistant's message before it would become the beginning of the answer.
            raise BadRequest(f"{path}.content: a user message must have some content.")
        if blocks:
            turns.append(Turn(role, blocks, path))
    if not turns:
        raise BadRequest("messages: no message has any content.")
    return tuple(turns)


def _decode_reasoning(data: Json, config: Json, ctx: Context) -> Reasoning | None:
    thinking = json_values.read_object(data.get("thinking"), "thinking")
    ctx.note_unread(thinking, _THINKING_FIELDS, "thinking.")
    effort = json_values.read_text(config.get("effort"), "output_config.effort")
    if effort and effort not in _EFFORTS:
        raise BadRequest(f"output_config.effort: expected one of {', '.join(_EFFORTS)}.")
    kind = json_values.read_text(thinking.get("type"), "thinking.type")
    if kind not in ("", "enabled", "disabled", "adaptive", "between_tools"):
        raise BadRequest("thinking.type: expected enabled, disabled, adaptive or between_tools.")
    if kind == "disabled":
        return Reasoning(off=True)
    budget = json_values.read_integer(thinking.get("budget_tokens"), "thinking.budget_tokens") or 0
    shown = kind in ("enabled", "adaptive") and thinking.get("display") != "omitted"
    return Reasoning(effort=effort, budget=budget, shown=shown) if effort or budget or shown else None


def _decode_user(data: Json, ctx: Context) -> str:
    metadata = json_values.read_object(data.get("metadata"), "metadata")
    ctx.note_unread(metadata, frozenset(("user_id",)), "metadata.")
    return json_values.read_text(metadata.get("user_id"), "metadata.user_id")


def _decode_shape(data: Json, config: Json, ctx: Context) -> Shape | None:
    path = "output_config.format" if config.get("format") else "output_format"
    found = json_values.read_object(config.get("format") or data.get("output_format"), path)
    if not found:
        return None
    ctx.note_unread(found, frozenset(("type", "schema")), f"{path}.")
    if found.get("type") != "json_schema":
        raise BadRequest(f"{path}.type: expected json_schema.")
    return Shape(json_values.require_object(found.get("schema"), f"{path}.schema"))
