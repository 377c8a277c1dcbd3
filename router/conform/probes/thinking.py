"""Reasoning: how it is asked for, and whether it comes back and may be sent again."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from router.backends.profile import EFFORTS
from router.conform.bench import MOST_OUTPUT, Bench, read_answer, read_usage
from router.conform.client import Reply
from router.conform.forms.parts import (
    Function,
    call_tool,
    encode_round,
    encode_tools,
    encode_user,
    make_conversation,
    make_schema,
)
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, is_answer
from router.conform.record import Finding, Member, Unknown
from router.ir import Answer, Thinking
from router.wire.raw.json.json_values import Json

_BUDGET = 1024
_PUZZLE = "Is 91 a prime number? Answer yes or no."
_READ = Function("read_note", make_schema("note"))
_WRONG_EFFORT = "fairlead"
# Of nobody: not even valid in form.
_FOREIGN = "Zm9yZWlnbiBzaWduYXR1cmU="
_ABOUT_SIGNATURE = ("signature", "encrypted", "verif", "decrypt")
_ADAPTIVE: Mapping[str, object] = {"type": "adaptive"}
_BUDGETED: Mapping[str, object] = {"type": "enabled", "budget_tokens": _BUDGET}


def _ask_effort(name: str, effort: str) -> Mapping[str, object]:
    """The members of a request that state an effort."""
    if name == "chat":
        return {"reasoning_effort": effort}
    if name == "responses":
        return {"reasoning": {"effort": effort, "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    return {"output_config": {"effort": effort}}


async def _check_efforts(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    known = [one for one in EFFORTS if name != "messages" or one not in ("none", "minimal")]
    taken: list[str] = []
    for effort in known:
        reply = await bench.ask(name, {**bench.make_request(name), **_ask_effort(name, effort)})
        taken += [effort] if is_answer(reply, name) else []
    reply = await bench.ask(name, {**bench.make_request(name), **_ask_effort(name, _WRONG_EFFORT)})
    if is_answer(reply, name):
        # Whatever it is told, so that nothing is known of the efforts.
        return Finding("no" if not taken else "partly", "an effort that does not exist is taken as well")
    flags: dict[str, object] = {}
    if name == "chat" and taken:
        flags["efforts"] = [Member(one, one in taken) for one in known]
        if bench.profile.reasoning == "none":
            # It reads the field, since it refuses some of its values.
            flags["reasoning"] = "reasoning_effort"
    if len(taken) == len(known):
        return Finding("yes", f"taken: {', '.join(taken)}", flags)
    if not taken:
        return Finding("no")
    missing = [one for one in known if one not in taken]
    return Finding("partly", f"taken: {', '.join(taken)}; not: {', '.join(missing)}", flags)


async def _check_budget(bench: Bench) -> Finding:
    return await _check_thinking(bench, _BUDGETED)


async def _check_adaptive(bench: Bench) -> Finding:
    return await _check_thinking(bench, _ADAPTIVE)


async def _check_thinking(bench: Bench, thinking: Mapping[str, object]) -> Finding:
    bench.choose("messages")
    reply = await _ask_thinking(bench, thinking)
    found = read_answer(reply, "messages")
    if not isinstance(found, Answer):
        return Finding("no", reply.describe())
    thought = any(isinstance(block, Thinking) for block in found.blocks)
    if not thought and thinking is _BUDGETED:
        return Finding("partly", "taken, and no thinking came")
    return Finding("yes", f"taken; {'thinking' if thought else 'no thinking'} came")


async def _ask_thinking(bench: Bench, thinking: Mapping[str, object]) -> Reply:
    """The answer to a question with thinking in Messages, asked for once in a run."""
    body = {**bench.make_request("messages", _PUZZLE), **_make_thinking(thinking)}
    return await bench.share(f"thinking.{thinking['type']}", lambda: bench.ask("messages", body))


def _make_thinking(thinking: Mapping[str, object]) -> dict[str, object]:
    return {"thinking": thinking, "max_tokens": _BUDGET + MOST_OUTPUT}


async def _find_asking(bench: Bench, name: str) -> Mapping[str, object]:
    """The members of a request that ask for reasoning. Models differ in what of Messages they take. Raises Unknown."""
    if name != "messages":
        return _ask_effort(name, "low")
    for thinking in (_ADAPTIVE, _BUDGETED):
        if is_answer(await _ask_thinking(bench, thinking), name):
            return _make_thinking(thinking)
    raise Unknown("it takes no thinking")


class _Returned(NamedTuple):
    """Reasoning of an answer, as a request sends it back."""

    #: Where it stood.
    field: str
    #: As `encode_round` takes it.
    more: Sequence[Json]


def _read_returned(reply: Reply, name: str) -> _Returned | None:
    body = reply.read_json()
    if name == "chat":
        return _read_chat(body)
    place, kinds = ("content", ("thinking", "redacted_thinking"))
    if name == "responses":
        place, kinds = "output", ("reasoning",)
    listed = body.get(place)
    items = cast("list[Any]", listed) if isinstance(listed, list) else []
    found = [cast("Json", one) for one in items if isinstance(one, dict) and cast("Json", one).get("type") in kinds]
    return _Returned(str(found[0]["type"]), found) if found else None


def _read_chat(body: Json) -> _Returned | None:
    try:
        message: Any = cast("Any", body)["choices"][0]["message"]
        found = {field: message.get(field) for field in ("reasoning_content", "reasoning")}
        text = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    for field, value in found.items():
        if isinstance(value, str) and value:
            return _Returned(field, [{field: value}])
    begins = isinstance(text, str) and text.lstrip().startswith("<think>")
    return _Returned("<think> tags of the text", []) if begins else None


async def _check_returned(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    asking = await _find_asking(bench, name)
    reply = await bench.ask(name, {**bench.make_request(name, _PUZZLE, output=MOST_OUTPUT), **asking})
    if not is_answer(reply, name):
        return Finding("no")
    found = _read_returned(reply, name)
    if found is not None:
        tags = name == "chat" and not found.more
        return Finding("yes", f"in {found.field}", {"think_tags": True} if tags else {})
    usage = read_usage(reply, name, bench.profile)
    if usage is not None and usage.reasoning:
        return Finding("partly", f"{usage.reasoning} tokens of reasoning are counted, and none is shown")
    return Finding("no", "none came")


async def _check_replay(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    asking = await _find_asking(bench, name)
    turns = [encode_user(name, "Which code word does the note have? Use the tool.")]
    calls = await call_tool(bench, name, [_READ], turns, **asking)
    returned = _read_returned(bench.last, name) if bench.last is not None else None
    if not calls or returned is None or not returned.more:
        raise Unknown("no reasoning came with a call, so that none can be sent back")
    said: dict[bool, bool] = {}
    for kept in (True, False):
        made = encode_round(name, calls[0], "The code word is kumquat.", more=returned.more if kept else ())
        body = make_conversation(bench, name, [*turns, *made], tools=encode_tools(name, [_READ]), **asking)
        said[kept] = is_answer(await bench.ask(name, body), name)
    required = said[True] and not said[False]
    flags = {"replay": returned.field if required else ""} if name == "chat" and required else {}
    if said[True]:
        return Finding(
            "yes", f"{returned.field} is taken back, and {'required' if required else 'not required'}", flags
        )
    return Finding("no", f"{returned.field} is not taken back")


async def _check_signature(bench: Bench) -> Finding:
    name = bench.choose("messages", "responses")
    begun: Json
    if name == "messages":
        block = {"type": "thinking", "thinking": "I think.", "signature": _FOREIGN}
        begun = {"role": "assistant", "content": [block, {"type": "text", "text": "ok"}]}
    else:
        begun = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": _FOREIGN}
    turns: list[Json] = [encode_user(name, "Say ok."), begun, encode_user(name, "Again.")]
    asking = await _find_asking(bench, name)
    reply = await bench.ask(name, make_conversation(bench, name, turns, **asking))
    if is_answer(reply, name):
        return Finding("no", "reasoning that it did not write is taken")
    said = reply.describe()
    if any(word in said.lower() for word in _ABOUT_SIGNATURE):
        return Finding("yes", f"refused: {said}")
    return Finding("partly", f"refused, and not for its signature: {said}")


GROUP = Group(
    "thinking",
    (
        Probe("thinking.efforts", "all efforts are taken, and no others", _check_efforts),
        Probe("thinking.returned", "reasoning is shown", _check_returned),
        Probe("thinking.replay", "reasoning may be sent back", _check_replay),
        Probe("thinking.adaptive", "adaptive thinking is taken", _check_adaptive),
        Probe("thinking.budget", "a budget for thinking is taken", _check_budget),
        Probe("thinking.signature", "reasoning of others is refused", _check_signature),
    ),
)
