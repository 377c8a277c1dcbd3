"""Restores the conversations that fairlead compacted, in requests that are passed through."""

from router.exchange.attempt import Attempt
from router.exchange.body.body import THREAD_BYTES
from router.exchange.upstream_response.large_work import contains
from router.upstream.snapshot import Snapshot
from router.upstream.targets import Target
from router.wire.calls import Call
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import Top, peek

NOTE = "fairlead's summary of the conversation sent as a message"


async def unseal_compactions(attempt: Attempt, body: bytes, top: Top) -> tuple[bytes, Top]:
    """The body with the items that fairlead made as messages, which any backend can read; as it is without any. Raises
    BadRequest for an item that neither fairlead nor the backend can read."""
    context, target = attempt.context, attempt.target
    mark = _find_mark(context.call, target)
    name, large = context.call.entry.conversation, len(body) > THREAD_BYTES
    if not mark or name not in top:
        return body, top
    # Tools and instructions are a third of an agent's body: they hold no items.
    if not (await contains(body, mark) if large else body.find(mark, *top.span(name)) >= 0):
        return body, top
    arguments = (body, top, context.call, target, context.snapshot)
    changed, place = await context.run_in_thread(unseal, *arguments) if large else unseal(*arguments)
    if changed is not body:
        context.record.note(NOTE)
        attempt.memory.hold(len(changed) if large else 0)
    return changed, place


def unseal(body: bytes, top: Top, call: Call, target: Target, snapshot: Snapshot) -> tuple[bytes, Top]:
    """As `unseal_compactions`, of a body that may hold such items; the same object when it holds none."""
    compaction, name = call.entry.compaction, call.entry.conversation
    raw = top.raw(name)
    if compaction is None or raw is None or _find_mark(call, target) not in body:
        return body, top
    backend, compacts = target.backend.name, target.profile.compacts
    changed = compaction.unseal_items(raw, snapshot.translation_state.seal(backend, ""), backend, compacts=compacts)
    if changed is raw:
        return body, top
    splice = Splice(body, top)
    splice.put(name, changed)
    found = b"".join(splice.parts())
    return found, peek(found)


def _find_mark(call: Call, target: Target) -> bytes:
    """What is in every body that holds an item to look at; b"" for calls that hold none."""
    compaction = call.entry.compaction
    if compaction is None:
        return b""
    return compaction.own_mark if target.profile.compacts else compaction.mark
