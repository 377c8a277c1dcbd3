"""How an answer's form can be set: schemas, stop sequences, its limit, several choices."""

import json
from typing import Any, cast

from router.conform.bench import MOST_OUTPUT, Bench, read_answer, read_usage
from router.conform.client import Reply
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, COUNTING, is_answer, judge_taken, read_whole_text
from router.conform.record import Finding, Member
from router.ir import Answer

_FRUITS = ("kiwi", "plum")
_SCHEMA = {
    "type": "object",
    "properties": {"fruit": {"type": "string", "enum": list(_FRUITS)}},
    "required": ["fruit"],
    "additionalProperties": False,
}
_NAME_ONE = "Name a fruit, as a JSON object with the member fruit."
_LINE = "Write this line as it is, and nothing else: alpha bravo charlie delta"
#: OpenAI's own bound, and the largest that others have.
_STOPS, _MANY_STOPS = 4, 16
_LIMIT = 16


async def _check_schema(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    reply = await bench.ask(name, bench.make_request(name, _NAME_ONE, output=MOST_OUTPUT, **_shape(name)))
    flags = name == "chat"
    if not is_answer(reply, name):
        refused = {"shapes": Member("json_schema", False)} if flags and reply.refused else {}
        return Finding("no", flags=refused)
    taken = Member("json_schema", True)
    text = read_whole_text(reply, name)
    if _read_fruit(text) in _FRUITS:
        return Finding("yes", text, {"shapes": taken, "strict_shapes": True} if flags else {})
    seen = {"shapes": taken, "strict_shapes": False} if flags else {}
    return Finding("partly", f"taken, and not kept to: {text[:100]}", seen)


def _shape(name: str) -> dict[str, object]:
    """The field that asks for the schema."""
    if name == "messages":
        return {"output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}}}
    inner: dict[str, object] = {"name": "fruit", "strict": True, "schema": _SCHEMA}
    if name == "responses":
        return {"text": {"format": {"type": "json_schema", **inner}}}
    return {"response_format": {"type": "json_schema", "json_schema": inner}}


def _read_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _read_fruit(text: str) -> object:
    """The member of an object that has no other; None for anything else."""
    found = _read_object(text)
    return found["fruit"] if found is not None and set(found) == {"fruit"} else None


async def _check_object(bench: Bench) -> Finding:
    name = bench.choose("chat", "responses")
    kind = {"type": "json_object"}
    field: dict[str, object] = {"response_format": kind} if name == "chat" else {"text": {"format": kind}}
    reply = await bench.ask(name, bench.make_request(name, _NAME_ONE, output=MOST_OUTPUT, **field))
    if not is_answer(reply, name):
        refused = {"shapes": Member("json_object", False)} if name == "chat" and reply.refused else {}
        return Finding("no", flags=refused)
    text = read_whole_text(reply, name)
    if _read_object(text) is None:
        return Finding("partly", f"taken, and not kept to: {text[:100]}")
    return Finding("yes", text, {"shapes": Member("json_object", True)} if name == "chat" else {})


async def _check_stops(bench: Bench) -> Finding:
    name = bench.choose("chat", "messages")
    reply = await _ask_stops(bench, name, _STOPS)
    if not is_answer(reply, name):
        alone = await _ask_stops(bench, name, 1)
        if not is_answer(alone, name):
            return Finding("no", flags={"stop_max": 0} if name == "chat" and alone.refused else {})
        return Finding("partly", f"one is taken, {_STOPS} are not: {reply.describe()}")
    text = read_whole_text(reply, name)
    if "charlie" in text:
        return Finding("partly", f"{_STOPS} are taken, and do not end the answer: {text[:80]}")
    more = await _ask_stops(bench, name, _MANY_STOPS)
    said = f"{_STOPS} are taken, and end the answer; {_MANY_STOPS} are {'taken too' if more.ok else 'not'}"
    least = _MANY_STOPS if more.ok else _STOPS
    known = bench.profile.stop_max
    # Between the two nothing was tried, nor beyond the larger.
    fits = known >= least if more.ok else _STOPS <= known < _MANY_STOPS
    return Finding("yes", said, {} if fits or name != "chat" else {"stop_max": least})


async def _ask_stops(bench: Bench, name: str, count: int) -> Reply:
    stops = ["charlie", *(f"zulu{number}" for number in range(1, count))]
    field: dict[str, object] = {"stop" if name == "chat" else "stop_sequences": stops}
    return await bench.ask(name, bench.make_request(name, _LINE, output=MOST_OUTPUT, **field))


async def _check_limit(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    if name != "chat":
        return _judge_limit(await bench.ask(name, bench.make_request(name, COUNTING, output=_LIMIT)), name, bench)
    found: dict[str, Finding] = {}
    for field in ("max_tokens", "max_completion_tokens"):
        body = bench.make_request(name, COUNTING, max_tokens=None, max_completion_tokens=None)
        found[field] = _judge_limit(await bench.ask(name, {**body, field: _LIMIT}), name, bench)
    good = [field for field, one in found.items() if one.verdict == "yes"]
    said = "; ".join(f"{field}: {one.evidence}" for field, one in found.items())
    if not good:
        return Finding("partly" if any(one.verdict == "partly" for one in found.values()) else "no", said)
    return Finding("yes", said, {} if bench.profile.max_tokens_field in good else {"max_tokens_field": good[0]})


def _judge_limit(reply: Reply, name: str, bench: Bench) -> Finding:
    found = read_answer(reply, name)
    if not isinstance(found, Answer):
        return Finding("no", reply.describe())
    usage = read_usage(reply, name, bench.profile)
    if found.stop == "length":
        return Finding("yes", f"ended by the limit of {_LIMIT}")
    if usage is not None and usage.output is not None and usage.output <= _LIMIT:
        return Finding("yes", f"{usage.output} tokens of {_LIMIT}")
    return Finding("partly", f"a limit of {_LIMIT} is taken, and not kept to")


async def _check_choices(bench: Bench) -> Finding:
    name = bench.choose("chat")
    reply = await bench.ask(name, bench.make_request(name, n=2))
    choices = reply.read_json().get("choices")
    if not is_answer(reply, name) or not isinstance(choices, list):
        return Finding("no")
    count = len(cast("list[object]", choices))
    return Finding("yes" if count == 2 else "partly", f"asked for 2 choices, {count} came")


async def _check_logprobs(bench: Bench) -> Finding:
    name = bench.choose("chat")
    reply = await bench.ask(name, bench.make_request(name, logprobs=True, top_logprobs=1))
    if not is_answer(reply, name):
        return Finding("no")
    choices = cast("list[dict[str, Any]]", reply.read_json()["choices"])
    told = choices[0].get("logprobs")
    listed = cast("dict[str, Any]", told).get("content") if isinstance(told, dict) else None
    if isinstance(listed, list) and listed:
        return Finding("yes", f"{len(cast('list[Any]', listed))} tokens with theirs")
    return Finding("partly", "taken, and none came")


async def _check_seed(bench: Bench) -> Finding:
    name = bench.choose("chat")
    body = bench.make_request(name, "Write three random words.", output=MOST_OUTPUT, seed=7)
    first = await bench.ask(name, body)
    if not is_answer(first, name):
        return judge_taken(first, name)
    second = await bench.ask(name, body)
    same = read_whole_text(first, name) == read_whole_text(second, name)
    return Finding("yes" if same else "partly", f"taken; twice the same request gave {'one text' if same else 'two'}")


GROUP = Group(
    "output",
    (
        Probe("output.json_schema", "a JSON schema is taken and kept to", _check_schema),
        Probe("output.json_object", "JSON mode is taken and kept to", _check_object),
        Probe("output.stop", "four stop sequences are taken and end the answer", _check_stops),
        Probe("output.limit", "a limit of tokens is taken and kept to", _check_limit),
        Probe("output.choices", "several choices can be asked for", _check_choices),
        Probe("output.logprobs", "log probabilities can be asked for", _check_logprobs),
        Probe("output.seed", "a seed makes answers repeatable", _check_seed),
    ),
)
