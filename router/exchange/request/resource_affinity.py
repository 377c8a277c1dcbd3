"""Sends requests to the account that issued the ids they name, also after a restart."""

import msgspec
import trio

from router.errors import BadRequest, NotFound
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.exchange.upstream_response.response import UpstreamResponse
from router.ir import RoutingFacts
from router.policy.routing.routes import DEMO
from router.settings.kinds import clean
from router.store.interfaces import Owner, ResourceOwners
from router.wire import resource_ids
from router.wire.calls import Call
from router.wire.raw.json.top_level import Top

# Reads of history.db have threads of their own, so that nothing else waits for a disk.
_THREADS = trio.CapacityLimiter(2)
# Parts of answers that a request may name: a long conversation names all of its own.
_PARTS_LIMIT = 10_000


def named_ids(call: Call, top: Top | None, limit: int = resource_ids.NAMED_LIMIT) -> list[str]:
    """The ids in the path and at the top of the body, where a call may have any; at most so many of the body."""
    names = resource_ids.in_path(call.path) if not call.generates else []
    resources = call.entry.resources
    if resources is not None and not call.generates:
        names = resources.in_path(call.path)
    if top is not None and (resource_ids.names_ids(call)):
        names += resource_ids.in_top(top, limit)
    return names


async def add_owner(arrival: Arrival, facts: RoutingFacts, names: list[str]) -> RoutingFacts:
    """The facts with the backend that issued one of the ids; unchanged when none of them is known. Raises NotFound for
    an id that does not belong to the caller's key."""
    owners = arrival.runtime.resource_owners
    if arrival.grant is not None:
        await _check_owned(arrival, names)
    names = names[: resource_ids.NAMED_LIMIT]
    found = owners.known(names)
    if found is None:
        found = await trio.to_thread.run_sync(owners.find, names, limiter=_THREADS)
    if found is None:
        return facts
    name, owner = found
    if owner.key != arrival.key_owner:
        raise _make_foreign(name)
    owners.cache(name, owner)
    owners.remember(name, owner.backend, owner.account, owner.kind, owner.key)
    return msgspec.structs.replace(facts, owner=owner.backend, account=owner.account)


async def check_items(arrival: Arrival, names: list[str]) -> None:
    """Refuse references to parts of another key's answers. Only those of keys with names are written down: one that is
    not known is the default key's, or nobody's. Raises NotFound, BadRequest."""
    for name, owner in await _find_owners(arrival, names, _PARTS_LIMIT):
        if (owner.key if owner is not None else "") != arrival.key_owner:
            raise _make_foreign(name)


async def _check_owned(arrival: Arrival, names: list[str]) -> None:
    """Refuse a caller with a key of its own every id that was not issued to that key. Raises NotFound."""
    for name, owner in await _find_owners(arrival, names, resource_ids.CHECKED_LIMIT):
        if owner is None or owner.key != arrival.key_owner:
            raise _make_foreign(name)


async def _find_owners(arrival: Arrival, names: list[str], limit: int) -> list[tuple[str, Owner | None]]:
    """Who issued each id, without those of fairlead's own answers, which it checks where it reads them. Raises
    BadRequest for too many."""
    if len(names) >= limit:
        raise BadRequest(f"The request names {limit:,} ids or more, too many to be checked.")
    stored = arrival.call.entry.stored
    asked = [name for name in dict.fromkeys(names) if stored is None or not stored.is_own(name)]
    if not asked:
        return []
    find = arrival.runtime.resource_owners.find_all
    found = await trio.to_thread.run_sync(find, asked, limiter=_THREADS)
    return [(name, found.get(name)) for name in asked]


def _make_foreign(name: str) -> NotFound:
    """The same words for an id of another key and for one that is not known: whether it exists is not told."""
    return NotFound(f"No object with id '{clean(name, 80)}' belongs to this key.")


def find_owner(owners: ResourceOwners, call: Call, body: bytes, top: Top) -> str | None:
    """The backend that issued an id of a request that is only explained. Blocks on the disk."""
    names = named_ids(call, top) + (resource_ids.in_depth(body) if owners.attached else [])
    names = names[: resource_ids.NAMED_LIMIT]
    found = owners.known(names) or owners.find(names) if names else None
    return found[1].backend if found else None


def holds_answer(attempt: Attempt, response: UpstreamResponse) -> bool:
    """True for an answer that may issue an id: it must be remembered before the client can use it."""
    if not _may_issue(attempt) or response.status >= 300:
        return False
    return b"json" in response.fields.get(b"content-type", b"").lower()


def remember_answer(
    attempt: Attempt, response: UpstreamResponse, body: bytes | bytearray, *, whole: bool = True
) -> None:
    """Remember the ids that an answer issues. whole: False for a body that is cut off, of which only the id at its
    beginning is read."""
    if whole and keeps_items(attempt) and response.status < 300:
        remember_items(attempt, body)
    if not holds_answer(attempt, response):
        return
    generates = attempt.context.call.generates
    resources = attempt.context.call.entry.resources
    if resources is not None:
        for name, kind in resources.issued(body) if whole and not generates else ():
            _remember(attempt, name, kind)
        return
    found = resource_ids.issued_first(body) if generates or not whole else []
    for name, kind in found or (resource_ids.issued(body) if whole else []):
        _remember(attempt, name, kind)


def remember_stream(attempt: Attempt, response_id: str) -> None:
    """Remember the id at the beginning of a stream."""
    if response_id and _may_issue(attempt):
        _remember(attempt, response_id, "")


def keeps_items(attempt: Attempt) -> bool:
    """True where the ids of an answer's parts are written down: those of a key with a name, which others must not name.
    A response that is made in the background shows its parts when it is fetched."""
    context = attempt.context
    shows = context.issues_id or context.request.method == "GET"
    return bool(context.key_owner and shows and attempt.plan is None and context.call.entry.stored is not None)


def remember_items(attempt: Attempt, answer: bytes | bytearray) -> None:
    """Remember the ids of an answer's parts. answer: itself, or the event that ends its stream."""
    stored = attempt.context.call.entry.stored
    for name in stored.issued_items(answer) if stored is not None else ():
        _remember(attempt, name, "items")


def _may_issue(attempt: Attempt) -> bool:
    """True where an id would be the backend's own: those of translated answers are made here."""
    return attempt.context.issues_id and attempt.plan is None


def _remember(attempt: Attempt, name: str, kind: str) -> None:
    backend = attempt.route.backend.name
    if backend == DEMO:  # the demo stores nothing that a later request could name
        return
    kind = kind or resource_ids.collection(attempt.context.call.path)
    context = attempt.context
    context.runtime.resource_owners.remember(name, backend, attempt.target.account, kind, context.key_owner)
