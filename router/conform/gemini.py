"""Probes of Google's generateContent: its streams, tools, thoughts and signatures."""

from collections.abc import Mapping
from typing import Any, cast

from router.conform.bench import MOST_OUTPUT, Bench, read_answer, read_calls, read_usage
from router.conform.client import Reply
from router.conform.probe import Group, Probe
from router.conform.record import Finding, Unknown
from router.ir import Answer, Text, Thinking
from router.wire.raw.json.json_values import Json

_NAME = "gemini"
_COUNTING = "Count from one to twenty in words, separated by spaces. Write nothing else."
_PUZZLE = "Is 91 a prime number? Answer yes or no."
_ASK = "Which code word does the note a have? Use the tool."
_WORD = "kumquat"
_PIECES = 3
#: An answer that took less can have come at once without having been held back.
_QUICK = 0.25
#: What stands in the place of a signature that is lost (https://ai.google.dev/gemini-api/docs/thought-signatures).
_PLACEHOLDER = "skip_thought_signature_validator"
_SIGNATURE = "thoughtSignature"
_TOOL: Mapping[str, object] = {
    "name": "read_note",
    "description": "Use it to read a note.",
    "parametersJsonSchema": {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]},
}
_TOOLS: Mapping[str, object] = {
    "tools": [{"functionDeclarations": [_TOOL]}],
}
_DEMANDED: Mapping[str, object] = {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}


async def _check_stream(bench: Bench) -> Finding:
    bench.choose(_NAME)
    reply = await bench.ask(_NAME, bench.make_request(_NAME, _COUNTING, output=MOST_OUTPUT, stream=True))
    if not reply.ok:
        return Finding("no")
    wrong = _find_wrong(reply, bench)
    return Finding("partly" if read_answer(reply, _NAME) else "no", wrong) if wrong else Finding("yes", "as documented")


def _find_wrong(reply: Reply, bench: Bench) -> str:
    """What Google's own clients would not read in a stream, '' for nothing."""
    if not reply.is_stream:
        return f"no stream: {reply.fields.get('content-type', 'no content-type')}"
    for line in reply.body.splitlines():
        if line and not line.startswith(b"data: {"):
            return f"a line that its clients do not read: {line[:80].decode('utf-8', 'replace')}"
    events = [event for event in reply.iter_events() if event.data]
    times = [event.at for event in events if _read_parts(event.data)]
    if len(times) < _PIECES:
        return f"{len(times)} pieces of text"
    if len(set(times)) == 1 and times[0] > _QUICK:
        return f"{len(times)} pieces, all at once after {times[0]:.1f} s"
    if not _read_candidate(events[-1].data).get("finishReason"):
        return "the last chunk has no finishReason"
    usage = read_usage(reply, _NAME, bench.profile)
    return "" if usage is not None and usage.input is not None and usage.output else "no usage of the whole answer"


def _read_candidate(data: Json) -> Json:
    listed = data.get("candidates")
    first = cast("list[object]", listed)[0] if isinstance(listed, list) and listed else None
    return cast("Json", first) if isinstance(first, dict) else {}


def _read_content(data: Json) -> Json:
    content = _read_candidate(data).get("content")
    return cast("Json", content) if isinstance(content, dict) else {}


def _read_parts(data: Json) -> list[Json]:
    parts = _read_content(data).get("parts")
    listed = cast("list[Any]", parts) if isinstance(parts, list) else []
    return [cast("Json", part) for part in listed if isinstance(part, dict)]


async def _call(bench: Bench) -> Reply:
    """An answer that calls the tool, which is asked for once in a run. Raises Unknown where none came."""
    bench.choose(_NAME)

    async def ask() -> Reply:
        return await bench.ask(_NAME, bench.make_request(_NAME, _ASK, output=MOST_OUTPUT, **_TOOLS, **_DEMANDED))

    return await bench.share("gemini.call", ask)


def _make_round(bench: Bench, reply: Reply, signature: str | None) -> Json:
    """The request that goes on after the calls of an answer. signature: in the place of those that came, None to keep
    these, '' for none."""
    parts = [dict(part) for part in _read_parts(reply.read_json())]
    if signature is not None:
        parts = [{name: value for name, value in part.items() if name != _SIGNATURE} for part in parts]
    calls = [cast("Json", part["functionCall"]) for part in parts if isinstance(part.get("functionCall"), dict)]
    if signature:
        next(part for part in parts if "functionCall" in part)[_SIGNATURE] = signature
    responses = [
        {"functionResponse": {**_name_call(call), "response": {"output": f"The code word is {_WORD}."}}}
        for call in calls
    ]
    contents = [
        {"role": "user", "parts": [{"text": _ASK}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": responses},
    ]
    return {**bench.make_request(_NAME, output=MOST_OUTPUT, **_TOOLS), "contents": contents}


def _name_call(call: Json) -> Json:
    return {name: call[name] for name in ("id", "name") if name in call}


def _is_answer(reply: Reply) -> bool:
    return reply.ok and isinstance(read_answer(reply, _NAME), Answer)


async def _check_tools(bench: Bench) -> Finding:
    reply = await _call(bench)
    calls = read_calls(reply, _NAME)
    if not calls:
        return Finding("no", "taken, and no call came" if _is_answer(reply) else reply.describe())
    after = await bench.ask(_NAME, _make_round(bench, reply, None))
    found = read_answer(after, _NAME)
    if not isinstance(found, Answer):
        return Finding("partly", f"called, and the result is refused: {after.describe()}")
    text = "".join(block.text for block in found.blocks if isinstance(block, Text))
    if _WORD in text.lower():
        return Finding("yes", f"called: {calls[0].name}({calls[0].arguments[:60]}); its result was read")
    return Finding("partly", f"called, and its result was not read: {text[:80] or after.describe()}")


async def _check_signature(bench: Bench) -> Finding:
    reply = await _call(bench)
    if not read_calls(reply, _NAME):
        raise Unknown("it called no tool, so that this cannot be tried")
    signed = any(_SIGNATURE in part for part in _read_parts(reply.read_json()))
    bare = await bench.ask(_NAME, _make_round(bench, reply, ""))
    if _is_answer(bare):
        return Finding("no", f"a call {'whose signature is lost' if signed else 'without a signature'} is taken")
    taken = _is_answer(await bench.ask(_NAME, _make_round(bench, reply, _PLACEHOLDER)))
    flags = {"skips_signatures": taken}
    if not taken:
        return Finding("partly", "a lost signature is refused, and so is the placeholder that is documented", flags)
    return Finding("yes", f"a lost signature is refused, the placeholder is taken: {bare.describe()}", flags)


async def _check_thinking(bench: Bench) -> Finding:
    bench.choose(_NAME)
    asked = bench.make_request(_NAME, _PUZZLE, output=MOST_OUTPUT)
    config = {**cast("Json", asked["generationConfig"]), "thinkingConfig": {"includeThoughts": True}}
    reply = await bench.ask(_NAME, {**asked, "generationConfig": config})
    found = read_answer(reply, _NAME)
    if not isinstance(found, Answer):
        return Finding("no", reply.describe())
    if any(isinstance(block, Thinking) and block.text for block in found.blocks):
        return Finding("yes", "thoughts came as parts of their own")
    counted = found.usage.reasoning
    said = f"{counted} tokens of thoughts are counted, and none is shown" if counted else "taken, and no thought came"
    return Finding("partly", said)


GROUP = Group(
    "gemini",
    (
        Probe("gemini.stream", "a stream has chunks alone, a reason of its end, and usage", _check_stream),
        Probe("gemini.tools", "a tool is called, and its result is read", _check_tools),
        Probe("gemini.signature", "a call needs its signature, or the documented placeholder", _check_signature),
        Probe("gemini.thinking", "thoughts are shown where that is asked for", _check_thinking),
    ),
)
