"""What an answer says, whatever protocol it is in and however it came; and in what two answers differ."""

import json
from typing import Any, NamedTuple, cast

import msgspec

from router.backends.profile import Profile
from router.ir import Answer, Fault, Text, ToolCall
from router.wire import translate
from router.wire.neutral.context import Context
from router.wire.protocols import BY_NAME
from router.wire.raw.json.depth import too_deep

_SHOWN = 80
_MISSING = object()


class Meaning(NamedTuple):
    """An answer as a program acts on it."""

    text: str = ""
    #: Name and arguments of each call.
    calls: tuple[tuple[str, Any], ...] = ()
    stop: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    #: The message of an error in place of an answer, or why it cannot be read.
    error: str = ""


class Difference(NamedTuple):
    """One respect in which two answers differ."""

    what: str
    before: str
    after: str


def read_meaning(body: str, protocol: str) -> Meaning:
    """What an answer in a protocol says; a stream that was cut counts as an error."""
    data = body.encode("utf-8", "surrogatepass")
    if protocol not in BY_NAME or too_deep(data):
        return Meaning(error="it is in no known protocol")
    ctx = Context(now=0, new_id=lambda: "0" * 24, profile=Profile(), request_sent=True)
    stream = not body.lstrip().startswith("{")
    found = translate.read_stream(data, protocol, ctx) if stream else translate.read_answer(data, protocol, ctx)
    if isinstance(found, Fault):
        return Meaning(error=found.message)
    if not isinstance(found, Answer):
        return Meaning(error="it ends before its end" if stream else "it is no answer of the protocol")
    texts = [block.text for block in found.blocks if isinstance(block, Text)]
    calls = [(block.name, _read_arguments(block.arguments)) for block in found.blocks if isinstance(block, ToolCall)]
    return Meaning("".join(texts), tuple(calls), str(found.stop), found.usage.input, found.usage.output, found.refusal)


def _read_arguments(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def compare(before: Meaning, after: Meaning) -> list[Difference]:
    """In what the second differs: its error, text, calls with their arguments, stop reason, tokens."""
    found: list[Difference] = []
    for name in ("error", "text", "stop", "tokens_in", "tokens_out"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            found.append(Difference(name.replace("_", " "), _show(one), _show(other)))
    for number in range(max(len(before.calls), len(after.calls))):
        one = before.calls[number] if number < len(before.calls) else None
        other = after.calls[number] if number < len(after.calls) else None
        if one != other:
            found.append(Difference(f"call {number + 1}", _show_call(one), _show_call(other)))
    return found


def _show(value: object) -> str:
    text = "none" if value is None or value == "" else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text):,} characters)"


def _show_call(call: tuple[str, Any] | None) -> str:
    if call is None:
        return "none"
    name, arguments = call
    return _show(f"{name}({msgspec.json.encode(arguments).decode()})")


def compare_json(before: str, after: str, path: str = "") -> list[str]:
    """The paths at which two JSON texts differ, the first ones; one for the whole where either is no JSON."""
    try:
        one, other = json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return [] if before == after else ["(all of it)"]
    return _compare_values(one, other, path)


def _compare_values(one: Any, other: Any, path: str) -> list[str]:
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(one, dict) and isinstance(other, dict):
        before, after = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        for key in dict.fromkeys((*before, *after)):
            pairs.append((f"{path}.{key}".lstrip("."), before.get(key, _MISSING), after.get(key, _MISSING)))
    elif isinstance(one, list) and isinstance(other, list):
        items, others = cast("list[Any]", one), cast("list[Any]", other)
        if len(items) != len(others):
            return [path or "(all of it)"]
        pairs = [(f"{path}[{at}]", a, b) for at, (a, b) in enumerate(zip(items, others, strict=True))]
    else:
        return [] if one == other else [path or "(all of it)"]
    return [found for place, a, b in pairs for found in _compare_values(a, b, place)]
