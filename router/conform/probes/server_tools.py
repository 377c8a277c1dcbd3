"""What the provider itself does for a request: searching the web, compacting and keeping conversations."""

from typing import Any, cast

from router.conform.bench import MOST_OUTPUT, Bench, read_usage
from router.conform.client import Reply
from router.conform.probe import Group, Probe
from router.conform.probes.asking import is_answer, read_whole_text
from router.conform.record import Finding
from router.wire.raw.json.json_values import Json

_WORD = "kumquat"
_QUESTION = "Search the web once: what is the title of example.com? Answer in a few words."


async def _check_search(bench: Bench) -> Finding:
    name = bench.choose("responses", "messages", "chat")
    fields: dict[str, object] = {"web_search_options": {}}
    if name == "responses":
        fields = {"tools": [{"type": "web_search"}], "max_tool_calls": 1}
    elif name == "messages":
        fields = {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]}
    reply = await bench.ask(name, bench.make_request(name, _QUESTION, output=MOST_OUTPUT, **fields))
    if not is_answer(reply, name):
        return Finding("no", flags={"web_search": False} if name == "chat" and reply.refused else {})
    usage = read_usage(reply, name, bench.profile)
    counted = usage.extras.searches if usage is not None and usage.extras is not None else 0
    if counted or _has_search(reply):
        return Finding("yes", "it searched the web", {"web_search": True} if name == "chat" else {})
    return Finding("partly", f"taken, and not used: {reply.describe()}")


def _has_search(reply: Reply) -> bool:
    """True for an answer with a search, or with a page that it cites."""
    found = reply.read_json()
    kinds = [item.get("type") for place in ("output", "content") for item in _list_objects(found, place)]
    if "web_search_call" in kinds or "server_tool_use" in kinds:
        return True
    choices = _list_objects(found, "choices")
    message = choices[0].get("message") if choices else None
    return isinstance(message, dict) and bool(cast("Json", message).get("annotations"))


def _list_objects(body: Json, place: str) -> list[Json]:
    listed = body.get(place)
    items = cast("list[Any]", listed) if isinstance(listed, list) else []
    return [cast("Json", item) for item in items if isinstance(item, dict)]


async def _check_compaction(bench: Bench) -> Finding:
    name = bench.choose("responses")
    turns = [{"role": "user", "content": f"The code word is {_WORD}."}, {"type": "compaction_trigger"}]
    reply = await bench.ask(name, {**bench.make_request(name, output=MOST_OUTPUT), "input": turns})
    if any(item.get("type") == "compaction" for item in _list_objects(reply.read_json(), "output")) and reply.ok:
        return Finding("yes", "it gave the conversation as one item", {"compacts": True})
    if reply.ok:
        return Finding("partly", f"taken, and no such item came: {reply.describe()}")
    return Finding("no", flags={"compacts": False} if reply.refused else {})


async def _check_previous(bench: Bench) -> Finding:
    name = bench.choose("responses")
    said = f"The code word is {_WORD}. Say ok."
    first = await bench.ask(name, bench.make_request(name, said, output=MOST_OUTPUT, store=True))
    before = first.read_json().get("id")
    if not is_answer(first, name) or not isinstance(before, str):
        return Finding("no")
    question = "Which code word did I name?"
    body = bench.make_request(name, question, output=MOST_OUTPUT, previous_response_id=before)
    reply = await bench.ask(name, body)
    if not is_answer(reply, name):
        return Finding("no")
    text = read_whole_text(reply, name)
    kept = _WORD in text.lower()
    return Finding("yes" if kept else "partly", f"{'gone on from' if kept else 'taken, and forgotten'}: {text[:80]}")


GROUP = Group(
    "server_tools",
    (
        Probe("server_tools.compaction", "a conversation can be compacted", _check_compaction),
        Probe("server_tools.previous_response", "a response can be gone on from", _check_previous),
        Probe("server_tools.web_search", "the provider searches the web", _check_search, True),
    ),
)
