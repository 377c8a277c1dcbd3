"""The operator's API for backends and accounts: what GET /accounts, /admin/backends… and /admin/accounts… do.

Rules of this file: its functions block on the disk and run in a thread; what changes, changes under the home's lock,
by the code that the command line uses. A key is taken as a literal only. What could make fairlead run a command, read
a file, or send keys in the clear changes on the machine only (product.md 9). No answer holds a key; that of a change
also has `problems`, what the proxy said of the configuration when it took the change up, as POST /admin/reload does.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast

import msgspec

from router.backends import PROTOCOLS, Account, Backend, changes
from router.backends.changes import PublicHttp, Unfit, Wish
from router.backends.known import KNOWN, known
from router.errors import BadRequest, CommandError, Conflict, Forbidden, NotFound, RouterError
from router.settings.kinds import clean, display
from router.store.config import backends, redacted
from router.store.home.home import Home
from router.store.keys.references import looks_like_one
from router.store.keys.secrets import check_key

SCHEMA = 1
ON_THE_MACHINE = ("host", "api_key", "cors_origin", "insecure_http", "upstream_proxy", "capture")
_NAMED = 20

T = TypeVar("T")


class Ask(NamedTuple):
    """What a call is about. headers: of each backend, the names that config.toml sets. problems: of each backend, why
    the running proxy cannot use it. accounts: by (backend, alias), how it is (accounts.account_report). names: what
    stands in the path behind the endpoint's own part."""

    home: Home
    environ: Mapping[str, str]
    headers: Mapping[str, Sequence[str]]
    problems: Mapping[str, str]
    accounts: Mapping[tuple[str, str], Mapping[str, object]]
    names: Sequence[str]
    body: bytes


class Action(NamedTuple):
    """One call. run: answers it, raises RouterError. changes: the proxy has to take up what it did. status: of the
    answer when all went well."""

    run: Callable[[Ask], dict[str, object]]
    changes: bool = False
    status: int = 200


class NewBackend(msgspec.Struct, forbid_unknown_fields=True):
    """POST /admin/backends. base_url: may be left out for a known name; protocols: for a known provider; key: a
    literal, left out for auth `client` and `none`, and for providers that need none."""

    name: str
    base_url: str | None = None
    protocols: list[str] | None = None
    auth: str | None = None
    key: str | None = None


class BackendChange(msgspec.Struct, forbid_unknown_fields=True):
    """POST /admin/backends/NAME; what is left out stays. Another base_url drops the keys that were stored, key
    replaces that of the first account."""

    enabled: bool | None = None
    base_url: str | None = None
    protocols: list[str] | None = None
    key: str | None = None


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """POST /admin/accounts. key: a literal."""

    backend: str
    alias: str
    key: str


def answer(action: Action, ask: Ask) -> dict[str, object]:
    """Carry out a call. Blocks. Raises RouterError."""
    try:
        return action.run(ask)
    except CommandError as error:
        # What the home itself is at fault for: a file that cannot be read, a lock that is held, a full disk.
        raise RouterError(" ".join(f"{error} {error.hint}".split())) from None


# Backends


def list_backends(ask: Ask) -> dict[str, object]:
    """Fields: schema; backends: each with name, base_url, protocols, auth (key, client, none), credentials (in words),
    enabled, headers (names of those config.toml sets), accounts (as GET /accounts has them), problem (why it cannot
    serve now, or null); problems: files that cannot be read, each with backend and message."""
    found, broken = backends.load(ask.home)
    return {
        "schema": SCHEMA,
        "backends": [
            {**_plain(ask, backend), "accounts": _accounts(ask, backend), "problem": ask.problems.get(backend.name)}
            for backend in found
        ],
        "problems": _broken(broken),
    }


def add_backend(ask: Ask) -> dict[str, object]:
    """A NewBackend; 409 when there is one of that name. Fields: backend, as GET /admin/backends has it."""
    asked = _read(ask.body, NewBackend)
    name = _checked(backends.check_name, asked.name)
    wish = _wish(asked.base_url, asked.protocols, asked.key, auth=_auth(asked))
    root = changes.root_for(name, wish, None)
    if root is None:
        raise BadRequest(f"{name} is not a provider fairlead knows, so base_url is needed. Known: {', '.join(KNOWN)}.")
    backend = changes.add_backend(name, wish, root, None, now=time.time()).backend
    _check_new(backend, asked)

    def make(before: Backend | None) -> Backend:
        if before is not None:
            raise Conflict(f"There is a backend {name} already. Change it with POST /admin/backends/{name}.")
        return backend

    return {"backend": _plain(ask, backends.change(ask.home, name, make))}


def _check_new(backend: Backend, asked: NewBackend) -> None:
    """Raise BadRequest for a backend that could not serve."""
    entry = known(backend.vendor)
    if not backend.protocols:
        raise BadRequest(f"protocols is missing; expected a list of some of {', '.join(PROTOCOLS)}.")
    if asked.key is None and asked.auth in (None, "key") and (asked.auth or entry is None or entry.needs_key):
        raise BadRequest('key is missing; expected a literal key, or "auth": "client" or "none".')


def change_backend(ask: Ask) -> dict[str, object]:
    """A BackendChange. Fields: backend, as GET /admin/backends has it; dropped: aliases of the accounts it lost."""
    name = _checked(backends.check_name, ask.names[0])
    asked = _read(ask.body, BackendChange)
    if asked == BackendChange():
        raise BadRequest(f"Nothing to change was named; expected {_fields(BackendChange)}.")
    wish = _wish(asked.base_url, asked.protocols, asked.key, enabled=asked.enabled)
    dropped: list[str] = []

    def make(before: Backend | None) -> Backend:
        outcome = changes.change_backend(_there(ask.home, name, before), wish)
        dropped.extend(account.alias for account in outcome.dropped)
        return outcome.backend

    return {"backend": _plain(ask, backends.change(ask.home, name, make)), "dropped": dropped}


def remove_backend(ask: Ask) -> dict[str, object]:
    """Remove it with its keys, also when its file cannot be read. Fields: removed."""
    name = _checked(backends.check_name, ask.names[0])
    found, _ = backends.discard(ask.home, name)
    if not found:
        raise _unknown(ask.home, name)
    return {"removed": name}


# Accounts


def list_accounts(ask: Ask) -> dict[str, object]:
    """Fields: schema; accounts: each with backend, alias, source (stored, env, file, cmd or keyring), credentials (the
    same in words), serves (requests are sent with its key), problem (why its key cannot be had, or why the running
    proxy cannot use its backend; else null), and of those the running proxy uses the fields of accounts.account_report;
    problems: as GET /admin/backends has them."""
    found, broken = backends.load(ask.home)
    listed = [
        {"backend": backend.name, **account, **ask.accounts.get((backend.name, str(account["alias"])), {})}
        for backend in found
        for account in _accounts(ask, backend)
    ]
    return {"schema": SCHEMA, "accounts": listed, "problems": _broken(broken)}


def add_account(ask: Ask) -> dict[str, object]:
    """A NewAccount; 409 when the backend has one of that name, or takes none. Fields: backend, as GET /admin/backends
    has it."""
    asked = _read(ask.body, NewAccount)
    name = _checked(backends.check_name, asked.backend)
    account = Account(_checked(backends.check_alias, asked.alias), _literal(asked.key))

    def make(before: Backend | None) -> Backend:
        return _fitting(lambda: changes.add_account(_there(ask.home, name, before), account))

    return {"backend": _plain(ask, backends.change(ask.home, name, make))}


def remove_account(ask: Ask) -> dict[str, object]:
    """Remove an account with its key. Fields: backend, as GET /admin/backends has it; removed."""
    name, alias = _checked(backends.check_name, ask.names[0]), ask.names[1].lower()

    def make(before: Backend | None) -> Backend:
        return _fitting(lambda: changes.remove_account(_there(ask.home, name, before), alias).backend)

    return {"backend": _plain(ask, backends.change(ask.home, name, make)), "removed": alias}


def _fitting(make: Callable[[], T]) -> T:
    try:
        return make()
    except Unfit as problem:
        raise (NotFound if problem.kind == "absent" else Conflict)(clean(str(problem))) from None


def _there(home: Home, name: str, before: Backend | None) -> Backend:
    if before is None:
        raise _unknown(home, name)
    return before


def _unknown(home: Home, name: str) -> NotFound:
    names = home.names(backends.FOLDER, ".json")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return NotFound(f"There is no backend {name}. Configured: {', '.join(names[:_NAMED]) or 'none'}{more}.")


# What is sent, and what is shown


def _read(body: bytes, shape: type[T]) -> T:
    """The body as one of the shapes above. Raises BadRequest, Forbidden."""
    try:
        data = cast("object", msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(f"The body is not JSON; expected an object with {_fields(shape)}.") from None
    fields = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    for name in ON_THE_MACHINE:
        if name in fields:
            raise Forbidden(f"{name} changes on the machine only, by the fairlead command.")
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{clean(backends.field_text(error))}; expected an object with {_fields(shape)}.") from None


def _fields(shape: type[Any]) -> str:
    fields = msgspec.structs.fields(shape)
    return ", ".join(f"{field.name}{'' if field.required else '?'}" for field in fields)


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except CommandError as error:
        raise BadRequest(str(error)) from None


def _wish(
    base_url: str | None,
    protocols: list[str] | None,
    key: str | None,
    *,
    auth: Literal["client", "none"] | None = None,
    enabled: bool | None = None,
) -> Wish:
    """What the fields ask for. Raises BadRequest, Forbidden."""
    return Wish(
        root=None if base_url is None else _root(base_url),
        protocols=None if protocols is None else _protocols(protocols),
        auth=auth,
        key=None if key is None else _literal(key),
        enabled=enabled,
    )


def _root(url: str) -> str:
    try:
        return changes.root_of(url, insecure=False)
    except PublicHttp as problem:
        raise Forbidden(f"base_url: {problem}. That is allowed on the machine only.") from None
    except ValueError as problem:
        # The URL is not repeated: it may hold a key.
        raise BadRequest(f"base_url cannot be used: {problem}.") from None


def _protocols(names: list[str]) -> tuple[str, ...]:
    try:
        return changes.protocols_of(names)
    except ValueError as problem:
        raise BadRequest(f"protocols is {display(','.join(names))}; expected {problem}, as a list.") from None


def _literal(key: str) -> str:
    if looks_like_one(key.strip().strip("\ufeff").strip()):
        raise Forbidden(
            "key is a reference, not a key. References change on the machine only: fairlead backend set NAME with "
            "--key-env, --key-file, --key-cmd or --keyring."
        )
    return _checked(lambda text: check_key(text, "key"), key)


def _auth(asked: NewBackend) -> Literal["client", "none"] | None:
    if asked.auth not in (None, "key", "client", "none"):
        # Not repeated: a key may have been put there.
        raise BadRequest("auth is something else; expected key, client or none.")
    if asked.auth in ("client", "none"):
        if asked.key is not None:
            raise BadRequest(f'key and "auth": "{asked.auth}" exclude each other.')
        return "client" if asked.auth == "client" else "none"
    return None


def _plain(ask: Ask, backend: Backend) -> dict[str, object]:
    return redacted.plain(backend, ask.environ, ask.headers.get(backend.name, ()))


def _accounts(ask: Ask, backend: Backend) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for account, plain in zip(backend.accounts, redacted.plain_accounts(backend, ask.environ), strict=True):
        problem = redacted.problem_of(account, ask.environ)
        if problem is None and plain["serves"]:
            problem = ask.problems.get(backend.name)
        found.append({**plain, "problem": problem})
    return found


def _broken(problems: Sequence[backends.Problem]) -> list[dict[str, str]]:
    return [{"backend": problem.name, "message": problem.message} for problem in problems]


#: Path and verb of each call; a star stands for a name.
ACTIONS: Mapping[tuple[str, str], Action] = {
    ("/accounts", "GET"): Action(list_accounts),
    ("/admin/accounts", "GET"): Action(list_accounts),
    ("/admin/accounts", "POST"): Action(add_account, changes=True, status=201),
    ("/admin/accounts/*/*", "DELETE"): Action(remove_account, changes=True),
    ("/admin/backends", "GET"): Action(list_backends),
    ("/admin/backends", "POST"): Action(add_backend, changes=True, status=201),
    ("/admin/backends/*", "POST"): Action(change_backend, changes=True),
    ("/admin/backends/*", "DELETE"): Action(remove_backend, changes=True),
}
