"""Restores what fairlead put into answers and callers send back, in requests that are passed through: the conversations
that it compacted, and signatures."""

from router.exchange.attempt import Attempt
from router.exchange.body.body import THREAD_BYTES
from router.exchange.upstream_response.large_work import contains
from router.upstream.snapshot import Snapshot
from router.upstream.targets import Target
from router.wire.calls import Call
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import Top, peek

NOTE = "fairlead's summary of the conversation sent as a message"

SIGNATURES = "fairlead's own signatures replaced"


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
    model = attempt.route.model or context.facts.model or ""
    arguments = (body, top, context.call, target, context.snapshot, model)
    changed, place = await context.run_in_thread(unseal, *arguments) if large else unseal(*arguments)
    if changed is not body:
        context.record.note(NOTE if context.call.entry.compaction is not None else SIGNATURES)
        attempt.memory.hold(len(changed) if large else 0)
    return changed, place


def unseal(body: bytes, top: Top, call: Call, target: Target, snapshot: Snapshot, model: str = "") -> tuple[bytes, Top]:
    """As `unseal_compactions`, of a body that may hold such items; the same object when it holds none."""
    compaction, state, name = call.entry.compaction, call.entry.restored, call.entry.conversation
    raw, mark = top.raw(name), _find_mark(call, target)
    if raw is None or not mark or mark not in body:
        return body, top
    backend, changed = target.backend.name, raw
    if compaction is not None:
        sealer, compacts = snapshot.translation_state.seal(backend, ""), target.profile.compacts
        changed = compaction.unseal_items(raw, sealer, backend, compacts=compacts)
    elif state is not None:
        changed = state.restore(raw, snapshot.translation_state.seal(backend, model), model)
    if changed is raw:
        return body, top
    splice = Splice(body, top)
    splice.put(name, changed)
    found = b"".join(splice.parts())
    return found, peek(found)


def _find_mark(call: Call, target: Target) -> bytes:
    """What is in every body that holds an item to look at; b"" for calls that hold none."""
    compaction, state = call.entry.compaction, call.entry.restored
    if compaction is None:
        return b"" if state is None or not call.writes else state.mark
    return compaction.own_mark if target.profile.compacts else compaction.mark
