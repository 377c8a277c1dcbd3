"""Decodes a Responses request."""

from typing import cast

import msgspec

from router.backends.profile import EFFORTS
from router.errors import BadRequest
from router.ir import HostedTool, Reasoning, Request, Shape, Text, Tool
from router.wire import stored_responses
from router.wire.neutral.context import Context
from router.wire.openai import decode_cache
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top
from router.wire.responses import tools as responses_tools
from router.wire.responses.decode_items import BRINGS_TOOLS, TurnCollector
from router.wire.responses.input import compaction
from router.wire.responses.response_object import REPEATED

#: Fields that Chat has under the same name and with the same meaning.
SHARED = ("metadata", "prompt_cache_key", "prompt_cache_retention")
_READ = frozenset(
    (
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens"),
        *("temperature", "top_p", "text", "reasoning", "include", "store", "previous_response_id", "stream", "user"),
        *("safety_identifier", "service_tier", "background", "prompt", "conversation", "access_programs"),
        *("moderation", "prompt_cache_options", "stream_options", "top_logprobs", *SHARED),
    )
)
# Values equal to the default: leaving them out is no loss.
_IDLE: dict[str, tuple[object, ...]] = {
    "metadata": ({},),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
    "context_management": ([],),
}
_INCLUDED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_TEXT_FIELDS = frozenset(("format", "verbosity"))
_SHAPE_FIELDS = frozenset(("type", "schema", "name", "strict", "description"))


def has_references(body: bytes | bytearray) -> bool:
    """True for a request that may refer to stored answers or items; a quick check without parsing."""
    return b"previous_response_id" in body or b"item_reference" in body


def read_references(body: bytes | bytearray) -> list[str]:
    """The ids of answers and items that a request refers to."""
    data = json_values.decode_object(bytes(body)) or {}
    items = data.get("input")
    entries = cast("list[object]", items) if isinstance(items, list) else []
    objects = [cast("Json", one) for one in entries if isinstance(one, dict)]
    names = [
        data.get("previous_response_id"),
        *(one.get("id") for one in objects if one.get("type") == "item_reference"),
    ]
    found = [name for name in names if isinstance(name, str) and name]
    return [*found, *(holder[0] for name in found if (holder := stored_responses.find_holder(name)))]


def check_passed_through(top: Top, backend: str) -> None:
    """Raise NotStored for a request that continues an answer of fairlead and goes to a backend as it is: no backend
    knows the id."""
    _check_own_id(top.value("previous_response_id") if "previous_response_id" in top else None, backend)


def _check_own_id(name: object, backend: str) -> None:
    if isinstance(name, str) and stored_responses.is_own_id(name):
        raise NotStored(
            f"previous_response_id: '{name}' is an answer that fairlead translated and keeps itself. The backend "
            f"{backend} speaks Responses and does not know it. Send the whole conversation as input.",
            "previous_response_id",
        )


class NotStored(BadRequest):
    """400 for a reference to an answer that is not stored, in the form that SDKs know."""

    code = "previous_response_not_found"

    def __init__(self, message: str, param: str):
        super().__init__(message)
        self.param = param


def decode_request(data: Json, ctx: Context) -> Request:
    """The neutral request. Raises BadRequest with the path of a field that is wrong or cannot be carried over."""
    _refuse_constraints(data, ctx)
    ctx.request_fields = {name: data[name] for name in REPEATED if name in data}
    if ctx.compaction == "object":
        ctx.store = None
    if ctx.compaction or compaction.has_trigger(data):
        data = compaction.ask_for_summary(data, ctx, BRINGS_TOOLS)
    user = "user" if data.get("user") is not None else "safety_identifier"
    ctx.paths |= {
        "max_tokens": "max_output_tokens",
        "user": user,
        "shape": "text.format",
        "reasoning": "reasoning",
        "parallel": "parallel_tool_calls",
        "tier": "service_tier",
        "cache": "prompt_cache_options",
        "verbosity": "text.verbosity",
        "shown": "reasoning.summary",
    }
    _note_unread(data, ctx)
    items = _collect_items(data, ctx)
    if ctx.compaction:
        ctx.request_items = ctx.request_items[:-1]  # the question is not the caller's
    tools, hosted = _decode_tools(data, items, ctx)
    declared = frozenset(tool.name for tool in tools)
    choice, tools, hosted = responses_tools.decode_choice(data, tools, hosted, ctx)
    turns = TurnCollector(ctx, declared)
    for at, item in enumerate(items):
        turns.add(item, f"input[{at}]")
    conversation = turns.finish()
    if not conversation:
        raise BadRequest("input: at least one message is required.")
    instructions = json_values.read_text(data.get("instructions"), "instructions")
    tier = json_values.read_text(data.get("service_tier"), "service_tier")
    if tier not in ("", "auto", "default"):
        ctx.note_dropped("service_tier")
    text = json_values.read_object(data.get("text"), "text")
    ctx.note_unread(text, _TEXT_FIELDS, "text.")
    return Request(
        model=json_values.read_text(data.get("model"), "model"),
        system=(*([Text(instructions)] if instructions else []), *turns.system),
        turns=conversation,
        tools=tools,
        hosted=hosted,
        choice=choice if tools else None,
        parallel=json_values.read_bool(data.get("parallel_tool_calls"), "parallel_tool_calls") if tools else None,
        max_tokens=json_values.read_integer(data.get("max_output_tokens"), "max_output_tokens", 1),
        temperature=json_values.read_number(data.get("temperature"), "temperature"),
        top_p=json_values.read_number(data.get("top_p"), "top_p"),
        reasoning=_decode_reasoning(data, items, ctx),
        shape=_decode_shape(text, ctx),
        user=json_values.read_text(data.get(user), user),
        tier=tier if tier in ("auto", "default") else "",
        stream=data.get("stream") is True,
        cache=decode_cache(data),
        shared=_decode_shared(data, text, ctx),
    )


def _note_unread(data: Json, ctx: Context) -> None:
    """Note the fields that are not read, and what is to be included and is not."""
    for name, value in data.items():
        if name not in _READ and value is not None and value not in _IDLE.get(name, ()):
            ctx.note_dropped(name)
    for at, name in enumerate(json_values.read_texts(data.get("include"), "include")):
        if name == _LOGPROBS:
            ctx.logprobs = True
            ctx.paths["top_logprobs"] = f"include[{at}]"
        elif name != _INCLUDED:
            ctx.note_dropped(f"include[{at}]")


def ask_for_summary(body: bytes, ctx: Context) -> bytes:
    """The body of a request for a compaction, as a request for a summary to an upstream of this protocol that compacts
    nothing itself. Raises BadRequest."""
    data = json_values.decode_object(body) or {}
    for name in ("background", "conversation"):
        if data.get(name):
            raise BadRequest(
                f"{name}: fairlead compacts conversations for the backend {ctx.upstream}, and keeps none and works on "
                "none in the background. Send the whole conversation as input."
            )
    _check_own_id(data.get("previous_response_id"), ctx.upstream)
    ctx.request_fields = {name: data[name] for name in REPEATED if name in data}
    asked = compaction.ask_for_summary(data, ctx, BRINGS_TOOLS)
    items = json_values.read_objects(asked["input"], "input")
    asked["input"] = [
        compaction.unseal_item(item, f"input[{at}]", ctx.sealer, ctx.upstream)
        if item.get("type") in compaction.KINDS and "encrypted_content" in item
        else item
        for at, item in enumerate(items)
    ]
    # What is asked for stands in no conversation of the caller's.
    return msgspec.json.encode({**asked, "model": ctx.model, "store": False})


def _refuse_constraints(data: Json, ctx: Context) -> None:
    """Raise BadRequest for fields that would change the answer's meaning if they were left out."""
    if data.get("background") is True:
        raise ctx.refuse("background", "an answer cannot be worked on while nobody waits for it")
    reasons = {
        "prompt": "templates are kept at OpenAI only",
        "conversation": "conversations are kept at OpenAI only",
        "access_programs": "they are known at OpenAI only",
    }
    for name, why in reasons.items():
        if data.get(name):
            raise ctx.refuse(name, why)
    moderation = json_values.read_object(data.get("moderation"), "moderation")
    if json_values.read_object(moderation.get("policy"), "moderation.policy").get("mode") == "block":
        raise ctx.refuse("moderation", "the backend does not moderate")
    if moderation:
        ctx.note_dropped("moderation")


def _collect_items(data: Json, ctx: Context) -> list[Json]:
    """The conversation: its stored items, and those of the request."""
    found = data.get("input")
    items: list[Json] = []
    if isinstance(found, str) and found:
        items.append({"type": "message", "role": "user", "content": found})
    for at, item in enumerate(json_values.read_objects(found, "input") if not isinstance(found, str) else ()):
        if item.get("type") == "item_reference":
            items += _resolve_reference(json_values.require_text(item, "id", f"input[{at}]"), ctx)
        else:
            items.append(item)
    if data.get("store") is False:
        ctx.store = None
    if ctx.store is not None:
        ctx.request_items = items
    return [*_read_chain(data, ctx), *items]


def _read_chain(data: Json, ctx: Context) -> list[Json]:
    """The items of the chain of answers behind `previous_response_id`, oldest first."""
    name = json_values.read_text(data.get("previous_response_id"), "previous_response_id")
    chain: list[list[Json]] = []
    seen: set[str] = set()
    while name and name not in seen:
        seen.add(name)
        found = ctx.stored.get(name)
        if found is None:
            raise NotStored(
                f"previous_response_id: '{name}' is not kept by fairlead (it keeps the answers it translates, unless "
                "store is false, for 30 days within a bound). Send the whole conversation as input.",
                "previous_response_id",
            )
        items = cast("list[Json]", found["items"])
        if items and items[-1].get("type") == "compaction":
            # It stands for all that was said before it.
            chain.append(items[-1:])
            break
        chain.append(items)
        name = str(found.get("previous") or "")
    return [item for items in reversed(chain) for item in items]


def _resolve_reference(name: str, ctx: Context) -> list[Json]:
    """The item a reference names; an unknown one is left out, since an error would end the caller's tool loop."""
    found = ctx.stored.get(name)
    holder = stored_responses.find_holder(name)
    if found is None and holder is not None:
        items = cast("list[Json]", ctx.stored.get(holder[0], {}).get("items") or [])
        found = items[holder[1]] if holder[1] < len(items) else None
    if found is None:
        ctx.note_dropped(f"item_reference {name[:40]}")
        return []
    return [found]


def _decode_tools(data: Json, items: list[Json], ctx: Context) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    """The tools of the request, and those that items of the conversation bring; apart from them those that OpenAI
    runs."""
    found = responses_tools.decode_tools(json_values.read_objects(data.get("tools"), "tools"), "tools", ctx)
    for at, item in enumerate(items):
        if item.get("type") in BRINGS_TOOLS:
            path = f"input[{at}]"
            brought = json_values.read_objects(item.get("tools"), f"{path}.tools")
            ctx.note_weakened(path)
            found += responses_tools.decode_tools(brought, f"{path}.tools", ctx)
    # The last tool of a name counts: a tool brought by an item replaces its deferred declaration.
    tools = {tool.name: tool for tool in found if isinstance(tool, Tool)}
    return tuple(tools.values()), tuple(tool for tool in found if not isinstance(tool, Tool))


def _decode_reasoning(data: Json, items: list[Json], ctx: Context) -> Reasoning | None:
    found = json_values.read_object(data.get("reasoning"), "reasoning")
    for name in found:
        if name not in ("effort", "summary", "generate_summary"):
            ctx.note_dropped(f"reasoning.{name}")
    for item in items:
        if item.get("type") == "configuration_update":
            found = {**found, **json_values.read_object(item.get("reasoning"), "reasoning")}
    effort = json_values.read_text(found.get("effort"), "reasoning.effort")
    if effort and effort not in EFFORTS:
        raise BadRequest(f"reasoning.effort: expected one of {', '.join(EFFORTS)}.")
    shown = bool(found.get("summary") or found.get("generate_summary"))
    if effort == "none":
        return Reasoning(off=True)
    return Reasoning(effort=effort, shown=shown) if effort or shown else None


def _decode_shape(text: Json, ctx: Context) -> Shape | None:
    form = json_values.read_object(text.get("format"), "text.format")
    ctx.note_unread(form, _SHAPE_FIELDS, "text.format.")
    kind = form.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Shape(None)
    if kind != "json_schema":
        raise BadRequest("text.format.type: expected text, json_object or json_schema.")
    return Shape(
        json_values.require_object(form.get("schema"), "text.format.schema"),
        json_values.read_text(form.get("name"), "text.format.name") or "output",
        json_values.read_bool(form.get("strict"), "text.format.strict"),
        json_values.read_text(form.get("description"), "text.format.description"),
    )


def _decode_shared(data: Json, text: Json, ctx: Context) -> Json:
    """Fields that Chat has too. `top_logprobs` among them, also with 0, asks for log probabilities."""
    shared: Json = {}
    for name in SHARED:
        value = data.get(name)
        if value is not None and value not in _IDLE.get(name, ()):
            shared[name] = value
    top = json_values.read_integer(data.get("top_logprobs"), "top_logprobs") or 0
    if top or ctx.logprobs:
        shared["top_logprobs"] = top
        ctx.logprobs = True
    if top:
        ctx.paths["top_logprobs"] = "top_logprobs"
    verbosity = json_values.read_text(text.get("verbosity"), "text.verbosity")
    if verbosity not in ("", "medium"):
        shared["verbosity"] = verbosity
    return shared
