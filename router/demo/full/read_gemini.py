"""Reads Google's requests to demo-full."""

from router.demo.body import Json, Object, as_text, objects
from router.demo.full.media import describe_bytes, describe_url
from router.demo.full.request import (
    Block,
    Request,
    Turn,
    check_temperature,
    read_number,
    read_stops,
    require_objects,
)
from router.demo.full.seal import unseal
from router.demo.gemini import fields
from router.errors import BadRequest

_MOST = 1 << 20
_STOPS = 5
_CHOICES = 8
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "THINKING_LEVEL_UNSPECIFIED")
_SERVER_SEARCH = "googleSearch"


def read_gemini(body: Object) -> Request:
    """The request in a body of :generateContent. Raises BadRequest."""
    contents = require_objects(fields.list_contents(body), "contents")
    config = fields.get_object(body, "generationConfig")
    check_temperature(config, 2)
    system = Turn("system", fields.join_texts(fields.get(body, "systemInstruction")))
    turns = [system] if system.text else []
    for content in contents:
        turns += _read_content(content)
    _check_counts(contents)
    _check_signatures(contents)
    stops = read_stops(fields.get(config, "stopSequences"))
    if len(stops) > _STOPS:
        raise BadRequest(f"generation_config.stop_sequences: at most {_STOPS}.")
    return Request(
        protocol="gemini",
        turns=turns,
        blocks=[Block(one) for one in _list_blocks(body, contents)],
        tools=fields.list_tools(body),
        choice=fields.read_choice(body),
        thinks=_read_thinking(fields.get_object(config, "thinkingConfig")),
        signs_calls=True,
        limit=_read_number(config, "maxOutputTokens", 1, _MOST),
        stops=stops,
        format=fields.read_format(body),
        copies=_read_number(config, "candidateCount", 1, _CHOICES) or 1,
        searches=any(fields.get(tool, _SERVER_SEARCH) is not None for tool in objects(body.get("tools"))),
    )


def _read_number(config: Object, name: str, low: int, high: int) -> int | None:
    return read_number({name: fields.get(config, name)}, name, low, high)


def _read_thinking(thinking: Object) -> bool:
    level, budget = fields.get(thinking, "thinkingLevel"), fields.get(thinking, "thinkingBudget")
    if level is not None and budget is not None:
        raise BadRequest("You can only set only one of thinking budget and thinking level.")
    if level is not None and as_text(level).upper() not in _LEVELS:
        raise BadRequest(f"generation_config.thinking_config.thinking_level: must be one of {', '.join(_LEVELS)}.")
    return level is not None or (bool(thinking) and budget != 0)


def _list_blocks(body: Object, contents: list[Object]) -> list[Json]:
    system = fields.get(body, "systemInstruction")
    parts: list[Json] = [*objects(body.get("tools")), *([system] if system else [])]
    for content in contents:
        parts += fields.list_parts(content)
    return parts


def _read_content(content: Object) -> list[Turn]:
    """The turn of a content, after one for the results of tools in it."""
    role = fields.get_text(content, "role").lower()
    if role not in ("", "user", "model", "function"):
        raise BadRequest("Please use a valid role: user, model.")
    turn, results = Turn("assistant" if role == "model" else "user"), Turn("tool")
    for part in fields.list_parts(content):
        call, response = fields.get_object(part, "functionCall"), fields.get_object(part, "functionResponse")
        if call:
            turn.calls.append(_name(call))
        elif response:
            results.results.append(_name(response))
            text = fields.read_response(response)
            results.text = f"{results.text}\n{text}" if results.text else text
            for shown in objects(response.get("parts")):
                _see(results, shown)
        elif not part.get("thought"):
            _see(turn, part)
    found = [results] if results.results else []
    return [*found, turn] if turn.text or turn.seen or turn.calls or not found else found


def _name(call: Object) -> str:
    """What a call and its response have in common: the id, or where there is none the name."""
    return fields.get_text(call, "id") or fields.get_text(call, "name")


def _see(turn: Turn, part: Object) -> None:
    """Add a text or data to a turn."""
    text = fields.get_text(part, "text")
    inline, file = fields.get_object(part, "inlineData"), fields.get_object(part, "fileData")
    if text:
        turn.text = f"{turn.text}\n{text}" if turn.text else text
    kind = (fields.get_text(inline or file, "mimeType").partition("/")[0] or "file").replace("application", "file")
    if inline:
        turn.seen.append(describe_bytes(fields.decode_base64(fields.get_text(inline, "data")), kind))
    elif file:
        turn.seen.append(describe_url(fields.get_text(file, "fileUri"), kind))


def _check_counts(contents: list[Object]) -> None:
    """Refuse responses that are not as many as the calls before them. Raises BadRequest."""
    for before, content in zip([{}, *contents], contents, strict=False):
        responses = sum(bool(fields.get_object(part, "functionResponse")) for part in fields.list_parts(content))
        calls = sum(bool(fields.get_object(part, "functionCall")) for part in fields.list_parts(before))
        if responses != calls and (responses or fields.get_role(content) == "user"):
            raise BadRequest(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )


def _check_signatures(contents: list[Object]) -> None:
    """Refuse a first call of the turn that goes on without its signature, and any signature that is not the demo's.
    Raises BadRequest."""
    begun = max((at for at, one in enumerate(contents) if _begins_turn(one)), default=0)
    for at, content in enumerate(contents):
        calls = [part for part in fields.list_parts(content) if fields.get_object(part, "functionCall")]
        for part in fields.list_parts(content):
            given = fields.get_text(part, "thoughtSignature")
            if given and not fields.is_placeholder(given) and unseal(_normalize(given)) is None:
                raise BadRequest("Corrupted thought signature.")
        if at > begun and calls and not fields.get_text(calls[0], "thoughtSignature"):
            name = fields.get_text(fields.get(calls[0], "functionCall"), "name")
            raise BadRequest(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                f"work correctly. Additional data, function call `default_api:{name[:100]}`, position {at + 1}."
            )


def _begins_turn(content: Object) -> bool:
    return fields.get_role(content) == "user" and not fields.is_response(content)


def _normalize(signature: str) -> str:
    """The signature in the alphabet that it was given out in: some clients send the other one."""
    return signature.replace("-", "+").replace("_", "/")
