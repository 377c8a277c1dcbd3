"""Whether a request may be sent a second time, judged by its path and body: the columns of `retry`'s tables."""

from typing import TYPE_CHECKING, cast

import msgspec

from router.policy.accounts.retry import RetrySafety
from router.wire.calls import Call
from router.wire.raw.top_level import Top

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNT_PATH = "/v1/messages/count_tokens"
_READS = ("GET", "HEAD")
# Tools that the client runs itself; all others may have acted by the time an answer fails.
_CLIENT_TOOLS = frozenset(
    ("function", "custom", "namespace", "local_shell", "shell", "apply_patch", "computer", "computer_use_preview")
)


class _Tool(msgspec.Struct):
    type: object = None
    execution: object = None


_tools = msgspec.json.Decoder(list[_Tool])


def judge_retry_safety(call: Call, method: str, top: Top | None, *, replayable: bool = True) -> RetrySafety:
    """How safe it is to send a request again.

    top: its JSON body's top level, None for a body of another kind. replayable: its body is in memory.
    """
    if not replayable:
        return "not_replayable"
    if method in _READS:
        return "safe"
    if not call.generates and call.path != _COUNT_PATH:
        return "maybe_executed"
    return "maybe_executed" if call.protocol == "responses" and top is not None and _leaves_traces(top) else "safe"


def _leaves_traces(top: Top) -> bool:
    """True for a Responses request that is stored, runs on, follows another, or has the server act."""
    if top.raw("store") != b"false" or top.raw("background") == b"true":
        return True
    if any(top.raw(name) not in (None, b"null") for name in ("previous_response_id", "conversation")):
        return True
    raw = top.raw("tools")
    if raw in (None, b"null", b"[]"):
        return False
    try:
        return any(not _is_client_tool(tool) for tool in cast("Iterable[_Tool]", _tools.decode(raw or b"")))
    except (msgspec.DecodeError, RecursionError):
        return True


def _is_client_tool(tool: _Tool) -> bool:
    return tool.type in _CLIENT_TOOLS or (tool.type == "tool_search" and tool.execution == "client")
