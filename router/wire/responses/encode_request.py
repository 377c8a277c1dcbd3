"""Encodes a Responses request."""

import hashlib

from router.ir import HostedTool, Request, WebSearch
from router.wire import openai
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.hosted_tools import is_wanted, leave_out
from router.wire.raw.json.json_values import Json
from router.wire.responses import encode_items, tools
from router.wire.responses.input import hosted_tools

_LEAST_TOKENS = 16


def encode_request(request: Request, ctx: Context) -> tuple[Json, dict[str, str]]:
    """The body and the headers that go with it. Raises BadRequest."""
    body: Json = {"model": request.model}
    if request.system and encode_items.fits_instructions(request, ctx):
        body["instructions"] = "\n\n".join(block.text for block in request.system)
    body["input"] = encode_items.encode_items(request, ctx)
    if request.continues and request.turns[-1].role == "assistant":
        raise ctx.refuse(request.turns[-1].path, "the answer's beginning cannot be given there (assistant prefill)")
    _put_tools(body, request, ctx)
    if request.max_tokens is not None:
        body["max_output_tokens"] = max(request.max_tokens, _LEAST_TOKENS)
        if request.max_tokens < _LEAST_TOKENS:
            ctx.note_weakened(ctx.caller_path("max_tokens"))
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p), ("top_k", request.top_k)):
        if value is not None and name in ctx.profile.sampling and name != "top_k":
            body[name] = value
        elif value is not None:
            ctx.note_dropped(name)
    # The protocol has no stop sequences: the answer is searched for them.
    ctx.stop_at(request.stop)
    _put_reasoning(body, request, ctx)
    _put_text(body, request, ctx)
    body |= {name: value for name, value in request.shared.items() if name not in ("verbosity", "top_logprobs")}
    _put_user(body, request, ctx)
    if request.cache and ctx.profile.cache == "breakpoint":
        body["prompt_cache_options"] = {"mode": "implicit"}
    if request.tier:
        body["service_tier"] = request.tier
    if request.stream:
        body["stream"] = True
    body["store"] = False
    body["include"] = ["reasoning.encrypted_content"]
    if "top_logprobs" in request.shared:
        # Their number alone asks for none there.
        body["include"].append("message.output_text.logprobs")
        if request.shared["top_logprobs"]:
            body["top_logprobs"] = request.shared["top_logprobs"]
    return body, {}


def _put_tools(body: Json, request: Request, ctx: Context) -> None:
    entries = tools.encode_tools(request, ctx)
    beside: Json = {}
    hosted = [tool for tool in request.hosted if _is_run(tool, ctx) and is_wanted(tool, ctx)]
    leave_out([tool for tool in request.hosted if tool not in hosted], ctx)
    for tool in hosted:
        entry, fields = hosted_tools.encode_hosted(tool, ctx, alone=len(hosted) == 1)
        entries.append(entry)
        beside |= fields
    if not entries:
        return
    body["tools"] = entries
    if request.parallel is not None:
        body["parallel_tool_calls"] = request.parallel
    choice = tools.encode_choice(request, ctx)
    if choice is not None:
        body["tool_choice"] = choice
    body |= beside


def _is_run(tool: HostedTool, ctx: Context) -> bool:
    """True for a tool that the backend runs itself."""
    if type(tool) is WebSearch:
        return hosted_tools.can_search(ctx.profile)
    return ctx.profile.shared


def _put_reasoning(body: Json, request: Request, ctx: Context) -> None:
    wanted = request.reasoning
    if wanted is None:
        return
    if ctx.profile.reasoning == "none" and ctx.profile.thinkers:
        ctx.note_dropped(ctx.caller_path("reasoning"))
        return
    effort = openai.resolve_effort(request)
    found: Json = {}
    if effort:
        known = openai.find_nearest_effort(effort, ctx.profile.efforts)
        if known:
            found["effort"] = known
        if known != effort or wanted.budget:
            ctx.note_weakened(ctx.caller_path("reasoning"))
    if wanted.shown:
        found["summary"] = "auto"
    if found:
        body["reasoning"] = found


def _put_text(body: Json, request: Request, ctx: Context) -> None:
    text: Json = {}
    shape = request.shape
    described: Json = {"description": shape.description} if shape is not None and shape.description else {}
    if shape is not None and shape.schema is None:
        text["format"] = {"type": "json_object"}
    elif shape is not None:
        strict = openai.is_strict_schema(shape.schema) if shape.strict is None else shape.strict
        if shape.strict is None and not strict:
            ctx.note_weakened(ctx.caller_path("shape"))
        form: Json = {"type": "json_schema", "name": shape.name, "schema": shape.schema, "strict": strict}
        text["format"] = {**form, **described}
    if "verbosity" in request.shared:
        text["verbosity"] = request.shared["verbosity"]
    if text:
        body["text"] = text


def _put_user(body: Json, request: Request, ctx: Context) -> None:
    """Put the caller's user: unchanged from OpenAI's protocols, else hashed, as Claude Code puts account ids there."""
    if not request.user:
        return
    path = ctx.caller_path("user")
    if path in openai.OWN_USER:
        body[path] = request.user
        return
    hashed = hashlib.sha256(request.user.encode("utf-8", "surrogatepass")).hexdigest()
    body["safety_identifier"] = hashed
    if ctx.auto_cache and ctx.profile.cache_key:
        body.setdefault("prompt_cache_key", hashed)
    ctx.note_weakened(path)
