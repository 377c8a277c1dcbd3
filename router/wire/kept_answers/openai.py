"""The rules for answers in OpenAI's protocols."""

from collections.abc import Sequence

from router.wire.kept_answers.rules import DeclaredTools, Json, KeptAnswers, list_declared, list_objects

_FINISHES = ("stop", "tool_calls", "function_call")
_KINDS = ("function", "custom")


def _find_tools(body: Json) -> DeclaredTools:
    tools = [*list_declared(body.get("tools")), *list_declared(body.get("functions"))]
    # The functions of the older form have no type.
    kinds = [one.get("type", "function" if "parameters" in one else None) for one in tools]
    return DeclaredTools(bool(tools), any(kind not in _KINDS for kind in kinds))


def _is_chat_whole(found: Json) -> bool:
    reasons = [one.get("finish_reason") for one in list_objects(found.get("choices"))]
    return bool(reasons) and all(reason in _FINISHES for reason in reasons)


def _is_chat_stream_whole(events: Sequence[Json]) -> bool:
    choices = [choice for one in events for choice in list_objects(one.get("choices"))]
    reasons = [reason for choice in choices if (reason := choice.get("finish_reason")) is not None]
    return bool(reasons) and all(reason in _FINISHES for reason in reasons)


CHAT = KeptAnswers(
    conversation=("messages",),
    find_tools=_find_tools,
    is_whole=_is_chat_whole,
    is_stream_whole=_is_chat_stream_whole,
)
RESPONSES = KeptAnswers(
    conversation=("input",),
    find_tools=_find_tools,
    stores=True,
    repeats=True,
    is_whole=lambda found: found.get("status") == "completed",
    is_stream_whole=lambda events: bool(events) and events[-1].get("type") == "response.completed",
)
