"""The rules for answers in Messages."""

from collections.abc import Sequence

from router.wire.kept_answers.rules import DeclaredTools, Json, KeptAnswers, as_object, list_declared

_STOPS = ("end_turn", "stop_sequence", "tool_use")


def _find_tools(body: Json) -> DeclaredTools:
    tools = list_declared(body.get("tools"))
    # A tool that the client runs itself has no type, or `custom`.
    return DeclaredTools(bool(tools), any(one.get("type", "custom") != "custom" for one in tools))


def _is_whole(found: Json) -> bool:
    return found.get("type") == "message" and found.get("stop_reason") in _STOPS


def _is_stream_whole(events: Sequence[Json]) -> bool:
    ends = [as_object(one.get("delta")) for one in events if one.get("type") == "message_delta"]
    return bool(ends) and events[-1].get("type") == "message_stop" and ends[-1].get("stop_reason") in _STOPS


MESSAGES = KeptAnswers(
    conversation=("messages", "system"),
    find_tools=_find_tools,
    is_whole=_is_whole,
    is_stream_whole=_is_stream_whole,
)
