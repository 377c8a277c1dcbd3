"""What of tools a backend takes, and whether its model obeys."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from router.conform.bench import MOST_OUTPUT, Bench, read_calls
from router.conform.client import Reply
from router.conform.forms.parts import (
    Function,
    Parts,
    call_tool,
    encode_image,
    encode_round,
    encode_text,
    encode_tools,
    encode_user,
    forbid_tools,
    force_tool,
    make_conversation,
    make_schema,
)
from router.conform.forms.small_inputs import make_png
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, is_answer, read_whole_text
from router.conform.record import Finding
from router.ir import ToolCall
from router.wire.raw.json.json_values import Json

_WEATHER = Function("get_weather", make_schema("city"))
_TIME = Function("get_time", make_schema("city"))
_READ = Function("read_note", make_schema("note"))
_LONG_NAME = f"get_weather_{'of_the_city_' * 6}now"
_ASK = "What is the weather in Turin? Use the tool."
_WORDS = ("kumquat", "persimmon")
_DIRECTIONS = ("north", "south")
#: Longer than some take, with marks that some refuse.
_OWN_ID = "call_fairlead-0123456789_ABCDEF"
_PLAIN_ID = "fAiRlEaD9"


def _read_arguments(call: ToolCall) -> Mapping[str, Any] | None:
    """The arguments of a call, None where they are no JSON object."""
    try:
        found = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def _tell(calls: Sequence[ToolCall]) -> str:
    return ", ".join(f"{call.name}({call.arguments[:60]})" for call in calls)


def _tell_text(reply: Reply, name: str) -> str:
    """The text that came in place of a call. Raises Unknown where the limit left no room for either."""
    return read_whole_text(reply, name)[:80] or reply.describe()


async def _offer(bench: Bench, name: str, text: str, tools: Sequence[Function], **fields: object) -> Reply:
    body = bench.make_request(name, text, output=MOST_OUTPUT, tools=encode_tools(name, tools), **fields)
    return await bench.ask(name, body)


async def _check_call(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    reply = await _offer(bench, name, _ASK, [_WEATHER])
    calls = read_calls(reply, name)
    if not calls:
        return Finding("no", f"taken, and no call came: {_tell_text(reply, name)}" if is_answer(reply, name) else "")
    found = _read_arguments(calls[0])
    fits = calls[0].name == _WEATHER.name and found is not None and isinstance(found.get("city"), str)
    return Finding("yes" if fits else "partly", f"{'called' if fits else 'called wrongly'}: {_tell(calls)}")


async def _check_required(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    reply = await _offer(bench, name, "Say hello.", [_WEATHER], tool_choice=force_tool(name))
    return _judge_forced(reply, name, _WEATHER.name, "forced_choice")


async def _check_named(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    choice = force_tool(name, _TIME.name)
    reply = await _offer(bench, name, "What is the weather in Turin?", [_WEATHER, _TIME], tool_choice=choice)
    return _judge_forced(reply, name, _TIME.name, "named_choice")


def _judge_forced(reply: Reply, name: str, wanted: str, flag: str) -> Finding:
    calls = read_calls(reply, name)
    known = {flag: True} if name == "chat" else {}
    if [call.name for call in calls] == [wanted]:
        return Finding("yes", f"called: {_tell(calls)}", known)
    if is_answer(reply, name):
        return Finding("partly", f"taken, and not obeyed: {_tell(calls) or _tell_text(reply, name)}")
    return Finding("no", flags={flag: False} if known and reply.refused else {})


async def _check_none(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    reply = await _offer(bench, name, _ASK, [_WEATHER], tool_choice=forbid_tools(name))
    calls = read_calls(reply, name)
    if calls:
        return Finding("partly", f"taken, and not obeyed: {_tell(calls)}")
    return Finding("yes", "no call came") if is_answer(reply, name) else Finding("no")


async def _check_parallel(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    off: dict[str, object] = {"parallel_tool_calls": False}
    demanded = force_tool(name)
    if name == "messages":
        off = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
        demanded = {"type": "any", "disable_parallel_tool_use": True}
    text = "What is the weather and what is the time in Turin? Use both tools at once."
    reply = await _offer(bench, name, text, [_WEATHER, _TIME], **off)
    if is_answer(reply, name) and not read_calls(reply, name):
        reply = await _offer(bench, name, text, [_WEATHER, _TIME], **{**off, "tool_choice": demanded})
    calls = read_calls(reply, name)
    flags = name == "chat"
    if len(calls) == 1:
        return Finding(
            "yes", f"one call came where two were useful: {_tell(calls)}", {"parallel_tools": True} if flags else {}
        )
    if calls:
        return Finding("partly", f"taken, and {len(calls)} calls came at once")
    if is_answer(reply, name):
        return Finding("unknown", "it called no tool, so that this cannot be tried")
    return Finding("no", flags={"parallel_tools": False} if flags and reply.refused else {})


async def _check_strict(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    tool = Function("paint_wall", make_schema("colour", enum=["red", "green"]), strict=True)
    turns = [encode_user(name, "Paint the wall purple. Use the tool.")]
    calls = await call_tool(bench, name, [tool], turns)
    flags = name == "chat"
    if not calls:
        return await _judge_cause(bench, name, tool._replace(strict=False), turns, {"strict_tools": False})
    found = _read_arguments(calls[0])
    if found is not None and set(found) == {"colour"} and found["colour"] in ("red", "green"):
        return Finding(
            "yes", f"taken, and the call fits the schema: {_tell(calls)}", {"strict_tools": True} if flags else {}
        )
    return Finding("partly", f"taken, and the call breaks the schema: {_tell(calls)}")


async def _judge_cause(
    bench: Bench, name: str, plain: Function, turns: Sequence[Json], flags: Mapping[str, object]
) -> Finding:
    """The finding for a tool that was refused: its flags where a plain one is taken, so that nothing else was."""
    said = bench.last.describe() if bench.last is not None else ""
    taken = name == "chat" and bool(await call_tool(bench, name, [plain], turns))
    return Finding("no", said, flags if taken else {})


async def _send_result(bench: Bench, name: str, call: ToolCall, question: str, result: str | Parts) -> Reply:
    turns = [encode_user(name, question), *encode_round(name, call, result)]
    return await bench.ask(name, make_conversation(bench, name, turns, tools=encode_tools(name, [_READ])))


def _judge_words(reply: Reply, name: str, words: Sequence[str]) -> Finding:
    """Whether the answer has all the words of a result."""
    if not is_answer(reply, name):
        return Finding("no")
    text = read_whole_text(reply, name)
    read = [word for word in words if word in text.lower()]
    if len(read) == len(words):
        return Finding("yes", f"taken and read: {text[:80]}")
    return Finding("partly", f"taken, and not read: {text[:80] or reply.describe()}")


async def _check_array(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    result = [
        encode_text(name, f"The first code word is {_WORDS[0]}."),
        encode_text(name, f"The second code word is {_WORDS[1]}."),
    ]
    call = ToolCall("call_1", _READ.name, '{"note":"words"}')
    reply = await _send_result(bench, name, call, "Which two code words are in the note?", result)
    return _judge_words(reply, name, _WORDS)


async def _check_image(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    result = [encode_text(name, "The picture:"), encode_image(name, make_png((255, 0, 0)))]
    call = ToolCall("call_1", _READ.name, '{"note":"picture"}')
    question = "What colour is the picture in the note? Answer with one word."
    found = _judge_words(await _send_result(bench, name, call, question, result), name, ["red"])
    return found._replace(flags={"tool_images": found.verdict == "yes"}) if name == "chat" else found


async def _check_ids(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    question, result = "Which code word does the note have?", f"The code word is {_WORDS[0]}."
    call = ToolCall(_OWN_ID, _READ.name, '{"note":"words"}')
    if name == "messages":
        call = ToolCall(_OWN_ID.replace("call_", "toolu_"), call.name, call.arguments)
    found = _judge_words(await _send_result(bench, name, call, question, result), name, _WORDS[:1])
    if found.verdict != "no":
        return found._replace(flags={"id_form": "free"} if name == "chat" and found.verdict == "yes" else {})
    plain = ToolCall(_PLAIN_ID, call.name, call.arguments)
    if is_answer(await _send_result(bench, name, plain, question, result), name):
        said = f"ids such as {_PLAIN_ID} are taken, {_OWN_ID} is not"
        return Finding("partly", said, {"id_form": "mistral9"} if name == "chat" else {})
    return found


async def _check_rounds(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    turns: list[Json] = [encode_user(name, "Read the note a, then the note b. Which code words do they have?")]
    ids: list[str] = []
    for word in _WORDS:
        calls = await call_tool(bench, name, [_READ], turns)
        if not calls:
            return Finding("no")
        ids.append(calls[0].id)
        turns += encode_round(name, calls[0], f"The code word is {word}.")
    reply = await bench.ask(name, make_conversation(bench, name, turns, tools=encode_tools(name, [_READ])))
    found = _judge_words(reply, name, _WORDS)
    if found.verdict == "yes" and len(set(ids)) != len(ids):
        return Finding("partly", f"both calls had the id {ids[0]}")
    return found


async def _check_name(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    tool = _WEATHER._replace(name=_LONG_NAME)
    turns, size = [encode_user(name, _ASK)], len(_LONG_NAME)
    calls = await call_tool(bench, name, [tool], turns)
    if not calls:
        return await _judge_cause(bench, name, _WEATHER, turns, {"name_limit": min(64, bench.profile.name_limit)})
    if calls[0].name != _LONG_NAME:
        return Finding("partly", f"a name of {size} characters came back as {calls[0].name[:80]}")
    more = name == "chat" and bench.profile.name_limit < size
    return Finding("yes", f"a name of {size} characters is taken", {"name_limit": size} if more else {})


async def _check_custom(bench: Bench) -> Finding:
    name = bench.choose("responses", "chat")
    grammar: Json = {"syntax": "lark", "definition": f'start: "{_DIRECTIONS[0]}" | "{_DIRECTIONS[1]}"'}
    custom: Json = {"name": "move", "description": "Move in a direction."}
    custom |= {"format": {"type": "grammar", **({"grammar": grammar} if name == "chat" else grammar)}}
    tool: Json = {"type": "custom", **({"custom": custom} if name == "chat" else custom)}
    body = bench.make_request(name, "Move towards the north pole with the tool.", output=MOST_OUTPUT, tools=[tool])
    reply = await bench.ask(name, body)
    if not is_answer(reply, name):
        return Finding("no")
    given = [call.get("input") for call in _list_calls(reply, name) if "input" in call]
    if not given:
        return Finding("partly", f"taken, and not called: {_tell_text(reply, name)}")
    fits = given[0] in _DIRECTIONS
    return Finding(
        "yes" if fits else "partly", f"{'called' if fits else 'its grammar is broken'}: {str(given[0])[:80]}"
    )


def _list_calls(reply: Reply, name: str) -> list[Json]:
    """The calls of an answer as the backend wrote them."""
    found = reply.read_json()
    if name == "responses":
        items = found.get("output")
        listed = cast("list[Any]", items) if isinstance(items, list) else []
        return [cast("Json", item) for item in listed if isinstance(item, dict) and "call_id" in item]
    try:
        calls: list[Any] = cast("Any", found)["choices"][0]["message"]["tool_calls"]
        return [cast("Json", call[call["type"]]) for call in calls]
    except (KeyError, IndexError, TypeError):
        return []


async def _check_namespace(bench: Bench) -> Finding:
    name = bench.choose("responses")
    [inner] = encode_tools(name, [_WEATHER])
    group: Json = {"type": "namespace", "name": "almanac", "description": "Facts of today.", "tools": [inner]}
    brought: Json = {"type": "additional_tools", "role": "developer", "tools": [inner]}
    by_group = await bench.ask(name, bench.make_request(name, _ASK, output=MOST_OUTPUT, tools=[group]))
    by_item = await bench.ask(name, make_conversation(bench, name, [brought, encode_user(name, _ASK)]))
    said = {
        "namespace": any(call.get("namespace") == "almanac" for call in _list_calls(by_group, name)),
        "additional_tools": any(call.get("name") == _WEATHER.name for call in _list_calls(by_item, name)),
    }
    good = [way for way, called in said.items() if called]
    if len(good) == len(said):
        return Finding("yes", f"a tool was called by each of {', '.join(good)}")
    bad = by_item if said["namespace"] else by_group
    return Finding(
        "partly" if good else "no", f"{' and '.join(way for way in said if way not in good)}: {bad.describe()}"
    )


GROUP = Group(
    "tools",
    (
        Probe("tools.call", "a tool that is offered is called", _check_call),
        Probe("tools.required", "a call can be demanded", _check_required),
        Probe("tools.named", "a call of one tool can be demanded", _check_named),
        Probe("tools.none", "calls can be forbidden", _check_none),
        Probe("tools.parallel", "several calls at once can be forbidden", _check_parallel),
        Probe("tools.strict", "a strict tool is called as its schema says", _check_strict),
        Probe("tools.array_result", "a result may be a list of parts", _check_array),
        Probe("tools.image_result", "a result may hold an image, which is seen", _check_image),
        Probe("tools.ids", "calls may have any ids", _check_ids),
        Probe("tools.two_rounds", "a tool is called again after its result", _check_rounds),
        Probe("tools.long_name", "a tool's name may be longer than 64 characters", _check_name),
        Probe("tools.custom", "a tool may take text by a grammar", _check_custom),
        Probe("tools.namespace", "tools may come in namespaces and by items", _check_namespace),
    ),
)
