"""Serves keys for processes: they are made, renewed and ended here, and are in memory alone."""

import re

import msgspec
import trio

from router.admin.ask import Ask
from router.errors import BadRequest, CommandError
from router.net.server.cancel_reason import CancelReason
from router.operator_api.keys import ChildKey, ChildRenewed, ChildRevoked, NewChildKey
from router.policy.budget.budgets import CHILD
from router.policy.grants.grant import Grant
from router.settings import Secret
from router.settings.fields import MODEL_GLOBS, TAG
from router.settings.kinds import BUDGET, InvalidValue, Kind, clean
from router.store.history import reader
from router.store.shared.key_books import KeyBook, read_book
from router.upstream.client_keys.registry import CHILD_SECONDS, Child, to_amount
from router.upstream.runtime import Runtime

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(?:\.[a-z0-9][a-z0-9_-]{0,63}){0,8}")
_BOOK_SECONDS = 10.0
_threads = trio.CapacityLimiter(2)


async def make(ask: Ask) -> ChildKey:
    """Make a key for a process. Raises BadRequest, NotFound, Conflict, Unavailable."""
    try:
        asked = msgspec.json.decode(ask.body, type=NewChildKey)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not valid: {error}.") from None
    if not _NAME.fullmatch(asked.name) or (CHILD in asked.name and not asked.key):
        raise BadRequest("name is not valid; expected 1 to 64 of a-z, 0-9, - and _, a letter or digit first.")
    ttl = CHILD_SECONDS if asked.ttl_s is None else asked.ttl_s
    if not 1 <= ttl <= CHILD_SECONDS:
        raise BadRequest(f"ttl_s must be from 1 to {CHILD_SECONDS:g}.")
    budget = None if asked.budget_usd is None else to_amount(_read(BUDGET, asked.budget_usd, "budget_usd"))
    models = None if asked.models is None else _read(MODEL_GLOBS, asked.models, "models")
    keys = ask.runtime.client_keys
    child, key = keys.add_child(
        asked.name,
        Grant(name="", models=models, tag=_read(TAG, asked.tag, "tag") if asked.tag else ""),
        parent=keys.find_name(asked.parent),
        pid=asked.pid,
        born=asked.pid_started,
        ttl=ttl,
        budget=budget,
        key=Secret(asked.key) if asked.key else None,
    )
    ask.runtime.log.hide([key])
    return ChildKey(key=key.reveal(), name=child.grant.name, expires=child.until)


async def renew(ask: Ask) -> ChildRenewed:
    """Have the time of a key begin again. Raises NotFound."""
    child = ask.runtime.client_keys.renew(ask.names["name"])
    return ChildRenewed(name=child.grant.name, expires=child.until)


async def revoke(ask: Ask) -> ChildRevoked:
    """End a key, and tell what its requests used. Raises NotFound."""
    child = ask.runtime.client_keys.revoke(ask.names["name"])
    ask.connection.set_deadline(_BOOK_SECONDS, CancelReason.TOTAL)
    book = await trio.to_thread.run_sync(_read_book, ask.runtime, child, limiter=_threads)
    return ChildRevoked(name=child.grant.name, book=book)


def _read(kind: Kind, value: object, name: str) -> "object":
    try:
        return kind.parse_value(value)
    except InvalidValue as wrong:
        raise BadRequest(f"{name} is not valid; expected {clean(wrong.text)}.") from None


def _read_book(runtime: Runtime, child: Child) -> KeyBook:
    # The last requests may not be written yet.
    runtime.ledger.flush()
    try:
        with reader.open_reader(runtime.home) as db:
            # A little earlier: its rows have the time at which requests came.
            return KeyBook() if db is None else read_book(db, child.grant.name, child.made - 1)
    except CommandError:
        return KeyBook()
