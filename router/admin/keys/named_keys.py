"""Reads and changes client keys: /admin/keys…, by the code that the command line uses. A key is shown once, when it is
made."""

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import trio

from router.admin.ask import Ask
from router.admin.home_call import HomeCall
from router.errors import BadRequest, CommandError, Conflict, NotFound
from router.operator_api.keys import (
    KeyChange,
    KeyChanged,
    KeyList,
    KeyMade,
    KeyRotation,
    NewKey,
    describe_key,
    describe_shared_key,
)
from router.settings.tables import KeyOptions
from router.store.config import client_keys
from router.store.history import reader
from router.store.home.home import Home
from router.store.keys import client_keys as secrets
from router.store.shared.key_books import KeyUse, read_uses

SCHEMA = 1
#: Seconds for which a replaced secret may stay valid.
GRACE_LIMIT = 30 * 86_400.0
_threads = trio.CapacityLimiter(2)
_Result = TypeVar("_Result")


async def list_keys(ask: Ask) -> KeyList:
    """The keys that the proxy uses."""
    runtime = ask.runtime
    uses = await trio.to_thread.run_sync(_read_uses, runtime.home, limiter=_threads)
    options, none, now = runtime.settings.keys, KeyOptions(), time.time()
    others = runtime.client_keys.shared
    own = {name: key for name, key in runtime.client_keys.table.loaded.found.items() if name not in others}
    return KeyList(
        schema=SCHEMA,
        keys=[
            *(describe_key(name, key, options.get(name, none), uses.get(name), now) for name, key in own.items()),
            *(describe_shared_key(name, key, uses.get(name), now) for name, key in others.items()),
        ],
        children=sorted(runtime.client_keys.children),
        problems=list(runtime.client_keys.table.problems),
    )


def _read_uses(home: Home) -> dict[str, KeyUse]:
    try:
        with reader.open_reader(home) as db:
            return {} if db is None else read_uses(db)
    except CommandError:
        # /status reports a history that cannot be read.
        return {}


def add_key(call: HomeCall) -> KeyMade:
    """Make a NewKey. Raises BadRequest, Conflict."""
    asked = _decode(call.body, NewKey)
    name, options = _check(lambda: (secrets.check_name(asked.name), client_keys.read_options(asked.options)))
    if secrets.read_key(call.home, name) is not None or name in client_keys.read_team(call.home).list_elsewhere():
        raise Conflict(f"There is a key {name} already. Change it with POST /admin/keys/{name}.")
    return KeyMade(name=name, key=client_keys.add(call.home, name, options).reveal())


def change_key(call: HomeCall) -> KeyChanged:
    """Make a KeyChange. Raises BadRequest, NotFound."""
    asked = _decode(call.body, KeyChange)
    name, options = _require(call), _check(lambda: client_keys.read_options(asked.options))
    if not options:
        raise BadRequest("Nothing to change was named; expected an object with options.")
    client_keys.change(call.home, name, options)
    return KeyChanged(name=name)


def rotate_key(call: HomeCall) -> KeyMade:
    """Make a KeyRotation. Raises BadRequest, NotFound."""
    asked = _decode(call.body, KeyRotation)
    if not 0 <= asked.grace_s <= GRACE_LIMIT:
        raise BadRequest(f"grace_s must be from 0 to {GRACE_LIMIT:.0f}.")
    name = _require(call)
    return KeyMade(name=name, key=client_keys.rotate(call.home, name, asked.grace_s).reveal())


def revoke_key(call: HomeCall) -> KeyChanged:
    """End a key. Raises NotFound."""
    name = _require(call)
    client_keys.revoke(call.home, name)
    return KeyChanged(name=name)


def _require(call: HomeCall) -> str:
    """The name in the path. Raises BadRequest, NotFound."""
    name = _check(lambda: secrets.check_name(call.names["name"]))
    if secrets.read_key(call.home, name) is None and client_keys.read_team(call.home).find_row(name) is None:
        raise NotFound(f"There is no key {name}.")
    return name


def _decode(body: bytes, shape: type[_Result]) -> _Result:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not valid: {error}.") from None


def _check(work: Callable[[], _Result]) -> _Result:
    """What checks a value; a value that is not valid is the caller's fault. Raises BadRequest."""
    try:
        return work()
    except CommandError as error:
        raise BadRequest(str(error)) from None
