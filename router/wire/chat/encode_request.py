"""Encodes a Chat request."""

import hashlib

from router.ir import Request
from router.wire.chat import encode_messages, tools
from router.wire.chat.schema_forms import fit_to_upstream, is_enforced
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.root_unions import union_tools
from router.wire.openai import OWN_USER, find_nearest_effort, resolve_effort
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def encode_request(request: Request, ctx: Context) -> tuple[Json, dict[str, str]]:
    """The body and the headers that go with it. Raises BadRequest."""
    profile = ctx.profile
    if profile.schemas == "gemini":
        ctx.union_tools = union_tools(request)
    body: Json = {"model": request.model, "messages": encode_messages.encode_messages(request, ctx)}
    if request.max_tokens is not None:
        body[profile.max_tokens_field] = _cap_tokens(request.max_tokens, ctx)
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p), ("top_k", request.top_k)):
        if value is not None and name in profile.sampling:
            body[name] = value
        elif value is not None:
            ctx.note_dropped(name)
    if len(request.stop) > profile.stop_max:
        ctx.stop_at(request.stop)
    elif request.stop:
        body["stop"] = list(request.stop)
    _put_tools(body, request, ctx)
    _put_reasoning(body, request, ctx)
    _put_shape(body, request, ctx)
    _put_prefill(body, request, ctx)
    tools.put_hosted(body, request, ctx)
    _put_shared(body, request, ctx)
    if request.user and profile.shared and ctx.caller_path("user") in OWN_USER:
        body[ctx.caller_path("user")] = request.user
    elif request.user and profile.user_field:
        # Hashed: Claude Code writes account and session ids into it.
        hashed = hashlib.sha256(request.user.encode("utf-8", "surrogatepass")).hexdigest()
        body[profile.user_field] = hashed
        if ctx.auto_cache and profile.cache_key:
            body.setdefault("prompt_cache_key", hashed)
        ctx.note_weakened(ctx.caller_path("user"))
    elif request.user:
        ctx.note_dropped(ctx.caller_path("user"))
    if request.cache and profile.cache == "breakpoint":
        body["prompt_cache_options"] = {"mode": "implicit"}
    if request.tier == "default":
        ctx.note_dropped(ctx.caller_path("tier"))
    if request.stream:
        body["stream"] = True
        if profile.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body, {}


def _cap_tokens(limit: int, ctx: Context) -> int:
    cap = ctx.profile.max_output_cap
    if not cap or limit <= cap:
        return limit
    ctx.note_weakened(ctx.caller_path("max_tokens"))
    return cap


def _put_shared(body: Json, request: Request, ctx: Context) -> None:
    """Put the fields that only OpenAI's protocols have."""
    for name, value in request.shared.items():
        if not ctx.profile.shared:
            ctx.note_dropped(ctx.caller_path(name))
            continue
        body[name] = value
        if name == "top_logprobs":
            # Chat refuses the number without this field.
            body["logprobs"] = True


def _put_tools(body: Json, request: Request, ctx: Context) -> None:
    if not request.tools:
        return
    body["tools"] = tools.encode_tools(request, ctx)
    if request.parallel is False:
        if ctx.profile.parallel_tools:
            body["parallel_tool_calls"] = False
        else:
            ctx.single_call = True
            ctx.note_weakened(ctx.caller_path("parallel"))
    choice = tools.encode_choice(request, ctx)
    if choice is not None:
        body["tool_choice"] = choice


def _put_reasoning(body: Json, request: Request, ctx: Context) -> None:
    if request.reasoning is not None and request.reasoning.shown and "shown" in ctx.paths:
        ctx.note_dropped(ctx.paths["shown"])
    effort = resolve_effort(request)
    if not effort:
        return
    path, profile = ctx.caller_path("reasoning"), ctx.profile
    on = effort != "none"
    if profile.reasoning == "none":
        ctx.note_dropped(path)
        return
    ctx.note_weakened(path)
    if profile.reasoning == "reasoning_effort":
        known = find_nearest_effort(effort, profile.efforts)
        if known:
            body["reasoning_effort"] = known
    elif profile.reasoning == "openrouter":
        known = find_nearest_effort(effort, profile.efforts) if on else ""
        body["reasoning"] = {"effort": known} if known else {"enabled": on}
    elif profile.reasoning == "thinking_type":
        body["thinking"] = {"type": "enabled" if on else "disabled"}
    elif profile.reasoning == "enable_thinking":
        body["enable_thinking"] = on
    else:
        body["chat_template_kwargs"] = {"enable_thinking": on}


def _put_shape(body: Json, request: Request, ctx: Context) -> None:
    shape = request.shape
    if shape is None:
        return
    path = ctx.caller_path("shape")
    kind = "json_schema" if shape.schema is not None else "json_object"
    if kind not in ctx.profile.shapes:
        raise ctx.refuse(path, "the backend does not take JSON schemas for answers")
    if shape.schema is None:
        body["response_format"] = {"type": "json_object"}
        return
    strict = ctx.profile.strict_shapes and is_enforced(shape.schema, ctx)
    if not strict:
        ctx.note_weakened(path)
    form: Json = {"name": shape.name}
    if shape.description:
        form["description"] = shape.description
    form["schema"] = fit_to_upstream(shape.schema, ctx.caller_path("schema"), ctx)
    form["strict"] = strict
    body["response_format"] = {"type": "json_schema", "json_schema": form}


def _put_prefill(body: Json, request: Request, ctx: Context) -> None:
    """Ask the upstream to continue a last assistant message, in the form it supports."""
    messages = json_values.read_objects(body["messages"], "messages")
    if not messages:
        raise ctx.refuse(request.turns[0].path, "a conversation without any text or call cannot be sent")
    if messages[-1]["role"] != "assistant" or not request.continues:
        return
    if ctx.profile.prefill == "continue":
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    elif ctx.profile.prefill == "prefix":
        messages[-1]["prefix"] = True
    else:
        raise ctx.refuse(request.turns[-1].path, "the answer's beginning cannot be given there (assistant prefill)")
