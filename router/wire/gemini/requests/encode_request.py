"""Encodes a generateContent request. The model and whether a stream is asked for stand in its path."""

from router.ir import Request, Shape
from router.wire.gemini.models import GeminiModel, find_model
from router.wire.gemini.requests.encode_contents import encode_contents, put_system_in_front
from router.wire.gemini.requests.encode_tools import encode_choice, encode_tools, find_unfit_tools
from router.wire.gemini.requests.schemas_out import fit_to_gemini
from router.wire.gemini.requests.thinking import encode_thinking
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.hosted_tools import leave_out
from router.wire.raw.json.json_values import Json

_HOTTEST = 2.0
_JSON = "application/json"


def encode_request(request: Request, ctx: Context) -> tuple[Json, dict[str, str]]:
    """The body and the headers that go with it. Raises BadRequest."""
    model = find_model(request.model)
    ctx.union_tools = find_unfit_tools(request)
    body: Json = {}
    contents = encode_contents(request, model, ctx)
    system: list[Json] = [{"text": text.text} for text in request.system if text.text]
    if system and model.system:
        body["systemInstruction"] = {"parts": system}
    elif system:
        ctx.note_weakened("system")
        put_system_in_front(contents, system)
    body["contents"] = contents
    _check_end(contents, request, ctx)
    if request.tools:
        body["tools"] = encode_tools(request, ctx)
        if choice := encode_choice(request, ctx):
            body["toolConfig"] = {"functionCallingConfig": choice}
        if request.parallel is False:
            ctx.single_call = True
            ctx.note_weakened(ctx.caller_path("parallel"))
    leave_out(request.hosted, ctx)
    config: Json = {}
    _put_limits(config, request, ctx)
    _put_sampling(config, request, model, ctx)
    if thinking := encode_thinking(request, model, ctx):
        config["thinkingConfig"] = thinking
    if request.shape is not None:
        _put_shape(config, request, request.shape, model, ctx)
    if config:
        body["generationConfig"] = config
    _note_rest(request, ctx)
    return body, {}


def _check_end(contents: list[Json], request: Request, ctx: Context) -> None:
    """Check a last model's content: it is history, and the answer does not continue it."""
    if request.continues and contents[-1]["role"] == "model" and not ctx.profile.prefill:
        raise ctx.refuse(request.turns[-1].path, "the answer's beginning cannot be given there (assistant prefill)")


def _put_limits(config: Json, request: Request, ctx: Context) -> None:
    limit = request.max_tokens
    if limit is not None:
        most = min((cap for cap in (ctx.max_output, ctx.profile.max_output_cap) if cap), default=limit)
        if limit > most:
            # The API refuses a limit over the model's own.
            ctx.note_weakened(ctx.caller_path("max_tokens"))
        config["maxOutputTokens"] = min(limit, most)
    stop = [entry for entry in request.stop if entry]
    if len(stop) < len(request.stop):
        ctx.note_dropped(ctx.caller_path("stop"))
    if len(stop) > ctx.profile.stop_max:
        ctx.stop_at(tuple(stop))
    elif stop:
        config["stopSequences"] = stop


def _put_sampling(config: Json, request: Request, model: GeminiModel, ctx: Context) -> None:
    given = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    fields = {"temperature": "temperature", "top_p": "topP", "top_k": "topK"}
    for name, value in given.items():
        if value is None:
            continue
        if not model.sampling or not ctx.profile.sampling:
            ctx.note_dropped(name)
        elif name == "temperature" and value > _HOTTEST:
            ctx.note_weakened(name)
            config[fields[name]] = _HOTTEST
        else:
            config[fields[name]] = value


def _put_shape(config: Json, request: Request, shape: Shape, model: GeminiModel, ctx: Context) -> None:
    """Put the form of the answer. Before version 3 the API refuses it beside functions."""
    path = ctx.caller_path("shape")
    kind = "json_object" if shape.schema is None else "json_schema"
    if kind not in ctx.profile.shapes:
        raise ctx.refuse(path, "the backend does not take JSON schemas for answers")
    if request.tools and not model.signs:
        raise ctx.refuse(path, "the model takes no form of the answer together with tools; Gemini 3 and later do")
    config["responseMimeType"] = _JSON
    if shape.schema is None:
        return
    if shape.strict:
        ctx.note_dropped(f"{path}.strict")
    where = ctx.caller_path("schema")
    schema = fit_to_gemini(shape.schema, lambda place: ctx.note_weakened(f"{where}.{place}"))
    if shape.description:
        about = schema.get("description")
        said = f"{shape.description}\n\n{about}" if isinstance(about, str) and about else shape.description
        schema = {**schema, "description": said}
    config["responseJsonSchema"] = schema


def _note_rest(request: Request, ctx: Context) -> None:
    """Note what Gemini has no field for. It caches without being asked, so marks for the cache are no loss."""
    for name in request.shared:
        ctx.note_dropped(ctx.caller_path(name))
    if request.user:
        ctx.note_dropped(ctx.caller_path("user"))
    if request.tier == "default":
        ctx.note_dropped(ctx.caller_path("tier"))
