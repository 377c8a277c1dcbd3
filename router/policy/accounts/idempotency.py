"""Whether a request may be sent a second time: `retry`'s natures, told from its path and its body."""

from typing import TYPE_CHECKING, cast

import msgspec

from router.policy.accounts.retry import Nature
from router.wire.calls import Call
from router.wire.raw.top_level import Top

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNT_PATH = "/v1/messages/count_tokens"
_READS = ("GET", "HEAD")
# Tools that the client runs itself; all others may have acted by the time an answer fails.
_CLIENTS_TOOLS = frozenset(
    ("function", "custom", "namespace", "local_shell", "shell", "apply_patch", "computer", "computer_use_preview")
)


class _Tool(msgspec.Struct):
    type: object = None
    execution: object = None


_tools = msgspec.json.Decoder(list[_Tool])


def nature_of(call: Call, method: str, top: Top | None, *, kept: bool = True) -> Nature:
    """The nature of a request. top: its JSON body's top level, None for another. kept: its body is held."""
    if not kept:
        return "streamed"
    if method in _READS:
        return "free"
    if not call.generates and call.path != _COUNT_PATH:
        return "served"
    return "served" if call.protocol == "responses" and top is not None and _leaves_traces(top) else "free"


def _leaves_traces(top: Top) -> bool:
    """True for a Responses request that is kept, runs on, follows another, or has the server act."""
    if top.raw("store") != b"false" or top.raw("background") == b"true":
        return True
    if any(top.raw(name) not in (None, b"null") for name in ("previous_response_id", "conversation")):
        return True
    raw = top.raw("tools")
    if raw in (None, b"null", b"[]"):
        return False
    try:
        return any(not _is_clients(tool) for tool in cast("Iterable[_Tool]", _tools.decode(raw or b"")))
    except (msgspec.DecodeError, RecursionError):
        return True


def _is_clients(tool: _Tool) -> bool:
    return tool.type in _CLIENTS_TOOLS or (tool.type == "tool_search" and tool.execution == "client")
