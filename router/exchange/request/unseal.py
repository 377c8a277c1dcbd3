"""Restores the conversations that fairlead compacted, in requests that are passed through."""

from router.exchange.attempt import Attempt
from router.exchange.body.body import THREAD_BYTES
from router.exchange.upstream_response.large_work import contains
from router.wire.protocol import Compaction
from router.wire.raw.splice import Splice
from router.wire.raw.top_level import Top, peek


async def unseal_compactions(attempt: Attempt, body: bytes, top: Top) -> tuple[bytes, Top]:
    """The body with the items that fairlead made as messages, which any backend can read; as it is without any. Raises
    BadRequest for an item that neither fairlead nor the backend can read."""
    entry, compacts = attempt.context.call.entry, attempt.target.profile.compacts
    compaction = entry.compaction
    if compaction is None:
        return body, top
    mark = compaction.own_mark if compacts else compaction.mark
    large = len(body) > THREAD_BYTES
    if not (await contains(body, mark) if large else mark in body) or entry.conversation not in top:
        return body, top
    if not large:
        return _unseal(attempt, compaction, body, top)
    changed, place = await attempt.context.run_in_thread(_unseal, attempt, compaction, body, top)
    if changed is not body:
        attempt.memory.hold(len(changed))
    return changed, place


def _unseal(attempt: Attempt, compaction: Compaction, body: bytes, top: Top) -> tuple[bytes, Top]:
    name, backend = attempt.context.call.entry.conversation, attempt.route.backend.name
    raw = top.raw(name) or b""
    sealer = attempt.context.snapshot.translation_state.seal(backend, "")
    changed = compaction.unseal_items(raw, sealer, backend, compacts=attempt.target.profile.compacts)
    if changed is raw:
        return body, top
    splice = Splice(body, top)
    splice.put(name, changed)
    found = b"".join(splice.parts())
    return found, peek(found)
