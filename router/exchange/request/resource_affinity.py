"""Requests go where the ids they name were issued (product.md 6), also after a restart."""

import msgspec
import trio

from router.exchange.body import buffered
from router.exchange.context import Ticket
from router.ir import Facts
from router.net.client.exchange import Exchange as Upstream
from router.policy.routing.routes import DEMO
from router.store.interfaces import ResourceOwners
from router.wire import resource_ids
from router.wire.calls import Call
from router.wire.raw.top_level import Top

# Reads of history.db have threads of their own, so that nothing else waits for a disk.
_threads = trio.CapacityLimiter(2)


async def pinned(ticket: Ticket, facts: Facts, body: bytes, top: Top | None) -> Facts:
    """The facts with the backend that issued an id the request names, as they are when none is known."""
    owners = ticket.runtime.resource_owners
    names = _named(ticket.call, top)
    if owners.attached and top is not None:
        names += (
            await buffered.in_thread(ticket, resource_ids.in_depth, body)
            if len(body) > buffered.THREAD_BYTES
            else resource_ids.in_depth(body)
        )
    if not names:
        return facts
    names = names[: resource_ids.NAMED_LIMIT]
    found = owners.known(names)
    if found is None:
        found = await trio.to_thread.run_sync(owners.find, names, limiter=_threads)
    if found is None:
        return facts
    name, owner = found
    owners.cache(name, owner)
    owners.remember(name, owner.backend, owner.account, owner.kind)
    return msgspec.structs.replace(facts, owner=owner.backend, account=owner.account)


def owner_in(owners: ResourceOwners, call: Call, body: bytes, top: Top) -> str | None:
    """The backend that issued an id the request names, for one that is only explained. Blocks on the disk."""
    names = _named(call, top) + (resource_ids.in_depth(body) if owners.attached else [])
    names = names[: resource_ids.NAMED_LIMIT]
    found = owners.known(names) or owners.find(names) if names else None
    return found[1].backend if found else None


def _named(call: Call, top: Top | None) -> list[str]:
    """The ids in the path and at the top of the body, where a call may have any."""
    names = resource_ids.in_path(call.path) if not call.generates else []
    if top is not None and (call.protocol == "responses" or not call.generates):
        names += resource_ids.in_top(top)
    return names


def holds_answer(ticket: Ticket, upstream: Upstream) -> bool:
    """True for an answer that may issue an id: it must be read before the client can use it."""
    return ticket.issues and upstream.status < 300 and b"json" in upstream.fields.get(b"content-type", b"").lower()


def note_answer(ticket: Ticket, upstream: Upstream, body: bytes | bytearray, *, whole: bool = True) -> None:
    """Remember what a plain answer issues; of one that is not whole, the id it begins with."""
    if not holds_answer(ticket, upstream):
        return
    found = resource_ids.issued_first(body) if ticket.call.generates or not whole else []
    for name, kind in found or (resource_ids.issued(body) if whole else []):
        _remember(ticket, name, kind)


def note_stream(ticket: Ticket, response_id: str) -> None:
    """Remember the id a stream announced itself with."""
    if ticket.issues and response_id:
        _remember(ticket, response_id, "")


def _remember(ticket: Ticket, name: str, kind: str) -> None:
    record = ticket.record
    if record.backend == DEMO:  # it keeps nothing that could be asked for
        return
    kind = kind or resource_ids.collection(ticket.call.path)
    ticket.runtime.resource_owners.remember(name, record.backend, record.account, kind)
