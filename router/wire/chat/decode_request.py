"""Decodes a Chat request."""

from typing import cast

from router.backends.profile import EFFORTS
from router.errors import BadRequest
from router.ir import HostedTool, Reasoning, Request, Shape, Text, Turn, WebSearch
from router.wire.chat import decode_messages
from router.wire.chat.tools import decode_choice, decode_tools
from router.wire.neutral.context import Context
from router.wire.openai import decode_cache
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Fields that Responses has too, with the same meaning.
SHARED = ("metadata", "prompt_cache_key", "prompt_cache_retention", "top_logprobs", "verbosity")
_READ = frozenset(
    (
        *("model", "messages", "max_completion_tokens", "max_tokens", "stop", "temperature", "top_p", "top_k", "n"),
        *("response_format", "reasoning_effort", "tools", "functions", "tool_choice", "function_call", "user"),
        *("parallel_tool_calls", "safety_identifier", "stream", "stream_options", "service_tier", "modalities"),
        *("audio", "web_search_options", "moderation", "prompt_cache_options", "logprobs", *SHARED),
    )
)
# Obfuscation is padding, which has no use on this machine.
_READ_OF_STREAM = frozenset(("include_usage", "include_obfuscation"))
_READ_OF_SEARCH = frozenset(("search_context_size", "user_location"))
_PLACE = ("city", "region", "country", "timezone")
_READ_OF_SHAPE = frozenset(("name", "schema", "strict", "description"))
# Values equal to the default: leaving them out is no loss.
_IDLE: dict[str, tuple[object, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "store": (False,),
    "metadata": ({},),
    "verbosity": ("medium",),
}


def decode_request(data: Json, ctx: Context) -> Request:
    """The neutral request. Raises BadRequest with the path of a field that is wrong or cannot be carried over."""
    _refuse_constraints(data, ctx)
    limit = "max_completion_tokens" if data.get("max_completion_tokens") is not None else "max_tokens"
    user = "user" if data.get("user") is not None else "safety_identifier"
    ctx.paths |= {
        "max_tokens": limit,
        "user": user,
        "shape": "response_format",
        "schema": "response_format.json_schema.schema",
        "parameters": "function.parameters",
        "reasoning": "reasoning_effort",
        "parallel": "parallel_tool_calls",
        "tier": "service_tier",
        "cache": "prompt_cache_options",
    }
    for name, value in data.items():
        if name not in _READ and value is not None and value not in _IDLE.get(name, ()):
            ctx.note_dropped(name)
    tools = decode_tools(data, ctx)
    choice, tools = decode_choice(data, tools, ctx)
    system, turns = _decode_conversation(data, ctx)
    tier = json_values.read_text(data.get("service_tier"), "service_tier")
    if tier not in ("", "auto", "default"):
        ctx.note_dropped("service_tier")
    options = json_values.read_object(data.get("stream_options"), "stream_options")
    ctx.note_unread(options, _READ_OF_STREAM, "stream_options.")
    caching = json_values.read_object(data.get("prompt_cache_options"), "prompt_cache_options")
    ctx.note_unread(caching, frozenset(("mode",)), "prompt_cache_options.")
    return Request(
        model=json_values.read_text(data.get("model"), "model"),
        system=system,
        turns=turns,
        tools=tools,
        choice=choice if tools else None,
        parallel=json_values.read_bool(data.get("parallel_tool_calls"), "parallel_tool_calls") if tools else None,
        max_tokens=json_values.read_integer(data.get(limit), limit, 1),
        stop=_decode_stop(data),
        temperature=json_values.read_number(data.get("temperature"), "temperature"),
        top_p=json_values.read_number(data.get("top_p"), "top_p"),
        top_k=json_values.read_integer(data.get("top_k"), "top_k"),
        reasoning=_decode_reasoning(data),
        shape=_decode_shape(data, ctx),
        user=json_values.read_text(data.get(user), user),
        tier=tier if tier in ("auto", "default") else "",
        stream=data.get("stream") is True,
        usage=options.get("include_usage") is True,
        cache=decode_cache(data),
        inline=True,
        hosted=_decode_web_search(data, ctx),
        shared=_decode_shared(data, ctx),
    )


def _decode_shared(data: Json, ctx: Context) -> Json:
    """Fields that OpenAI's two protocols have. `top_logprobs` among them, also with 0, asks for log probabilities."""
    shared = {name: data[name] for name in SHARED if data.get(name) not in (None, *_IDLE.get(name, ()))}
    top = json_values.read_integer(data.get("top_logprobs"), "top_logprobs")
    wanted = json_values.read_bool(data.get("logprobs"), "logprobs")
    shared.pop("top_logprobs", None)
    if wanted or (top and wanted is None):
        ctx.logprobs = True
        shared["top_logprobs"] = top or 0
        if not top:
            ctx.paths["top_logprobs"] = "logprobs"
    elif top:
        ctx.note_dropped("top_logprobs")
    return shared


def _decode_web_search(data: Json, ctx: Context) -> tuple[HostedTool, ...]:
    """The web search of models that search by themselves, as the tool that others have for it."""
    path = "web_search_options"
    found = data.get(path)
    if found is None:
        return ()
    form = json_values.require_object(found, path)
    ctx.note_unread(form, _READ_OF_SEARCH, f"{path}.")
    user = json_values.read_object(form.get("user_location"), f"{path}.user_location")
    ctx.note_unread(user, frozenset(("type", "approximate")), f"{path}.user_location.")
    where = f"{path}.user_location.approximate"
    place = json_values.read_object(user.get("approximate"), where)
    ctx.note_unread(place, frozenset(("type", *_PLACE)), f"{where}.")
    location = {name: json_values.read_text(place.get(name), f"{where}.{name}") for name in _PLACE}
    return (
        WebSearch(
            path,
            context_size=json_values.read_text(form.get("search_context_size"), f"{path}.search_context_size"),
            location={name: said for name, said in location.items() if said},
            # Models with this field search at every request.
            forced=True,
        ),
    )


def _refuse_constraints(data: Json, ctx: Context) -> None:
    """Raise BadRequest for fields that would change the answer's meaning if they were left out."""
    if (json_values.read_integer(data.get("n"), "n", 1) or 1) > 1:
        raise ctx.refuse("n", "only one choice can be made there")
    modalities = json_values.read_texts(data.get("modalities"), "modalities")
    if "audio" in modalities or data.get("audio") is not None:
        raise ctx.refuse("audio" if data.get("audio") else "modalities", "the backend does not speak")
    if any(one != "text" for one in modalities):
        ctx.note_dropped("modalities")
    moderation = data.get("moderation")
    if isinstance(moderation, dict):
        policy = cast("Json", moderation).get("policy")
        if isinstance(policy, dict) and cast("Json", policy).get("mode") == "block":
            raise ctx.refuse("moderation", "the backend does not moderate")
        ctx.note_dropped("moderation")


def _decode_stop(data: Json) -> tuple[str, ...]:
    found = data.get("stop")
    return (found,) if isinstance(found, str) else json_values.read_texts(found, "stop")


def _decode_reasoning(data: Json) -> Reasoning | None:
    effort = json_values.read_text(data.get("reasoning_effort"), "reasoning_effort")
    if effort == "default":
        # Groq's word for the model's own.
        return None
    if effort and effort not in EFFORTS:
        raise BadRequest(f"reasoning_effort: expected one of {', '.join(EFFORTS)}.")
    if not effort:
        return None
    return Reasoning(off=True) if effort == "none" else Reasoning(effort=effort)


def _decode_shape(data: Json, ctx: Context) -> Shape | None:
    found = json_values.read_object(data.get("response_format"), "response_format")
    kind = found.get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Shape(None)
    if kind != "json_schema":
        raise BadRequest("response_format.type: expected text, json_object or json_schema.")
    form = json_values.require_object(found.get("json_schema"), "response_format.json_schema")
    path = "response_format.json_schema"
    ctx.note_unread(found, frozenset(("type", "json_schema")), "response_format.")
    ctx.note_unread(form, _READ_OF_SHAPE, f"{path}.")
    return Shape(
        json_values.require_object(form.get("schema"), f"{path}.schema"),
        json_values.read_text(form.get("name"), f"{path}.name") or "output",
        json_values.read_bool(form.get("strict"), f"{path}.strict"),
        json_values.read_text(form.get("description"), f"{path}.description"),
    )


def _decode_conversation(data: Json, ctx: Context) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """The system prompt and the turns behind it."""
    entries = json_values.read_objects(data.get("messages"), "messages")
    if not entries:
        raise BadRequest("messages: at least one message is required.")
    system: list[Text] = []
    turns: list[Turn] = []
    for at, entry in enumerate(entries):
        turn = decode_messages.decode_message(entry, f"messages[{at}]", ctx)
        if turn is None:
            continue
        if turn.role == "system" and not turns:
            system += [block for block in turn.blocks if type(block) is Text]
        else:
            turns.append(turn)
    return tuple(system), tuple(turns)
