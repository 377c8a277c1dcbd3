"""Reads and changes backends and accounts: /accounts, /admin/backends… and /admin/accounts….

Rules of this file: its functions block on the disk and run in a thread; changes are made under the home's lock, by the
code that the command line uses. A key is accepted as a literal only. Settings that could make fairlead run a command,
read a file, or send keys unencrypted can be changed on the machine only: a page or another program that holds the
token is not trusted with them. No answer holds a key.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from router.admin.home_call import HomeCall
from router.backends import PROTOCOLS, Account, AuthHeader, Backend, changes
from router.backends.changes import NeedsPermission, Unfit, Wish
from router.backends.known import KNOWN, known, vendor_of
from router.backends.variables import WrongVariable, match_root, read_variables
from router.errors import BadRequest, CommandError, Conflict, Forbidden, NotFound
from router.operator_api.accounts import AccountList, ListedAccount, NewAccount, UnreadFile
from router.operator_api.backends import (
    AccountRemoved,
    BackendAdded,
    BackendChange,
    BackendChanged,
    BackendList,
    BackendRemoved,
    CheckedAccount,
    CheckedBackend,
    NewBackend,
    StoredBackend,
    describe_accounts,
    describe_backend,
)
from router.settings import Secret
from router.settings.kinds import clean, display
from router.store.config import backends, redacted
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeys
from router.store.keys.references import looks_like_one
from router.store.keys.secrets import check_entered

SCHEMA = 1
ON_THE_MACHINE = ("host", "api_key", "cors_origin", "insecure_http", "upstream_proxy", "capture")
_NAMED = 20
_ON_THE_MACHINE = "That is allowed on the machine only: "

T = TypeVar("T")


# Backends


def list_backends(call: HomeCall) -> BackendList:
    """All backends, and the files that cannot be read."""
    found, broken = backends.load(call.home)
    return BackendList(
        schema=SCHEMA, backends=[_check_backend(call, one) for one in found], problems=_list_unread(broken)
    )


def add_backend(call: HomeCall) -> BackendAdded:
    """Add a NewBackend. Raises Conflict when there is one of that name."""
    asked = _read_body(call.body, NewBackend)
    name = _check(backends.check_name, asked.name)
    wish = _read_wish(asked.base_url, asked.protocols, asked.key, call.own_keys, auth=_read_auth(asked))
    header = _read_auth_header(asked.auth_header)
    wish = msgspec.structs.replace(wish, variables=_read_variables(name, wish, asked.variables), auth_header=header)
    root = changes.root_for(name, wish, None)
    if root is None:
        raise BadRequest(f"{name} is not a provider fairlead knows, so base_url is needed. Known: {', '.join(KNOWN)}.")
    backend = changes.add_backend(name, wish, root, None, now=time.time()).backend
    _check_new(backend, asked)
    own = bool(vendor_of(root))
    if backend.auth == "client" and not own:
        raise Forbidden(
            f"base_url is not the provider's own, and would get each tool's own login. {_ON_THE_MACHINE}"
            f"fairlead backend add {name} --base-url URL --auth client."
        )

    def make(before: Backend | None) -> Backend:
        if before is not None:
            raise Conflict(f"There is a backend {name} already. Change it with POST /admin/backends/{name}.")
        if not own:
            _check_headers(call, name, None, root)
        return backend

    return BackendAdded(backend=_show_backend(call, backends.change(call.home, name, make)))


def _check_new(backend: Backend, asked: NewBackend) -> None:
    """Raise BadRequest for a backend that could not serve."""
    entry = known(backend.vendor)
    if not backend.protocols:
        raise BadRequest(f"protocols is missing; expected a list of some of {', '.join(PROTOCOLS)}.")
    if asked.key is None and asked.auth in (None, "key") and (asked.auth or entry is None or entry.needs_key):
        raise BadRequest('key is missing; expected a literal key, or "auth": "client" or "none".')


def change_backend(call: HomeCall) -> BackendChanged:
    """Make a BackendChange. Raises NotFound."""
    name = _check(backends.check_name, call.names["name"])
    asked = _read_body(call.body, BackendChange)
    if asked == BackendChange():
        raise BadRequest(f"Nothing to change was named; expected {_name_fields(BackendChange)}.")
    wish = _read_wish(asked.base_url, asked.protocols, asked.key, call.own_keys, enabled=asked.enabled)
    wish = msgspec.structs.replace(wish, auth_header=_read_auth_header(asked.auth_header))
    dropped: list[str] = []

    def make(before: Backend | None) -> Backend:
        present = _require(call.home, name, before)
        outcome = changes.change_backend(present, wish)
        _check_headers(call, name, present, outcome.backend.root)
        dropped.extend(account.alias for account in outcome.dropped)
        if wish.root is None:
            return outcome.backend
        # What was allowed on the machine for the former URL; this one needs no permission.
        return msgspec.structs.replace(outcome.backend, insecure_http=False)

    return BackendChanged(backend=_show_backend(call, backends.change(call.home, name, make)), dropped=dropped)


def _check_headers(call: HomeCall, name: str, before: Backend | None, root: str) -> None:
    """Raise Forbidden where headers that config.toml sets would go to another place."""
    headers = dict.fromkeys((*call.headers.get(name, ()), *call.rule_headers.get(name, ())))
    moving = changes.list_moving(before, root, [*headers])
    if moving:
        raise Forbidden(
            f"base_url is another place, and the headers that config.toml sets for {name} ({clean(', '.join(moving))}) "
            f"would go there. {_ON_THE_MACHINE}fairlead backend {'set' if before else 'add'} {name} --base-url URL."
        )


def remove_backend(call: HomeCall) -> BackendRemoved:
    """Remove a backend with its keys, also when its file cannot be read. Raises NotFound."""
    name = _check(backends.check_name, call.names["name"])
    found, _ = backends.discard(call.home, name)
    if not found:
        raise _make_not_found(call.home, name)
    return BackendRemoved(removed=name)


# Accounts


def list_accounts(call: HomeCall) -> AccountList:
    """The accounts of all backends, and the files that cannot be read."""
    found, broken = backends.load(call.home)
    listed = [_list_account(call, one.name, account) for one in found for account in _check_accounts(call, one)]
    return AccountList(schema=SCHEMA, accounts=listed, problems=_list_unread(broken))


def add_account(call: HomeCall) -> BackendAdded:
    """Add a NewAccount. Raises Conflict when the backend has one of that name, or takes none."""
    asked = _read_body(call.body, NewAccount)
    name = _check(backends.check_name, asked.backend)
    account = Account(_check(backends.check_alias, asked.alias), _read_key(asked.key, call.own_keys))

    def make(before: Backend | None) -> Backend:
        return _convert_unfit(lambda: changes.add_account(_require(call.home, name, before), account))

    return BackendAdded(backend=_show_backend(call, backends.change(call.home, name, make)))


def remove_account(call: HomeCall) -> AccountRemoved:
    """Remove an account with its key. Raises NotFound."""
    name, alias = _check(backends.check_name, call.names["backend"]), call.names["alias"].lower()

    def make(before: Backend | None) -> Backend:
        return _convert_unfit(lambda: changes.remove_account(_require(call.home, name, before), alias).backend)

    return AccountRemoved(backend=_show_backend(call, backends.change(call.home, name, make)), removed=alias)


def _convert_unfit(make: Callable[[], T]) -> T:
    try:
        return make()
    except Unfit as problem:
        raise (NotFound if problem.kind == "absent" else Conflict)(clean(str(problem))) from None


def _require(home: Home, name: str, before: Backend | None) -> Backend:
    if before is None:
        raise _make_not_found(home, name)
    return before


def _make_not_found(home: Home, name: str) -> NotFound:
    names = home.names(backends.FOLDER, ".json")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return NotFound(f"There is no backend {name}. Configured: {', '.join(names[:_NAMED]) or 'none'}{more}.")


# Reading bodies, and showing backends


def _read_body(body: bytes, shape: type[T]) -> T:
    """Decode the body as a struct. Raises BadRequest, Forbidden."""
    try:
        data: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(f"The body is not JSON; expected an object with {_name_fields(shape)}.") from None
    try:
        fields = msgspec.convert(data, dict[str, object])
        for name in ON_THE_MACHINE:
            if name in fields:
                raise Forbidden(f"{name} changes on the machine only, by the fairlead command.")
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise BadRequest(
            f"{clean(backends.field_text(error))}; expected an object with {_name_fields(shape)}."
        ) from None


def _name_fields(shape: type[Any]) -> str:
    fields = msgspec.structs.fields(shape)
    return ", ".join(f"{field.name}{'' if field.required else '?'}" for field in fields)


def _check(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except CommandError as error:
        raise BadRequest(str(error)) from None


def _read_wish(
    base_url: str | None,
    protocols: list[str] | None,
    key: str | None,
    own: OwnKeys,
    *,
    auth: Literal["client", "none"] | None = None,
    enabled: bool | None = None,
) -> Wish:
    """The settings that the fields ask for. Raises BadRequest, Forbidden."""
    return Wish(
        root=None if base_url is None else _read_root(base_url),
        protocols=None if protocols is None else _read_protocols(protocols),
        auth=auth,
        key=None if key is None else _read_key(key, own),
        enabled=enabled,
    )


def _read_variables(name: str, wish: Wish, given: dict[str, str]) -> dict[str, str]:
    """The values of the variables in the provider's URLs, {} where it has none. Raises BadRequest."""
    entry = known((vendor_of(wish.root) if wish.root else "") or name)
    expected: Mapping[str, object] = entry.variables if entry is not None else {}
    if given.keys() - expected.keys():
        what = f"expected {', '.join(expected)}" if expected else f"{name} has none"
        raise BadRequest(f"variables has some that {name} does not have; {what}.")
    if entry is None:
        return {}
    found = match_root(entry, wish.root) if wish.root else None
    try:
        return read_variables(entry, {**given, **(found or {})}, {})
    except WrongVariable as wrong:
        raise BadRequest(f"variables: {wrong}.") from None


def _read_auth_header(form: str | None) -> AuthHeader | None:
    try:
        return None if form is None else changes.auth_header_of(form)
    except ValueError as problem:
        raise BadRequest(f"auth_header has an unknown value; expected {problem}.") from None


def _read_root(url: str) -> str:
    try:
        return changes.root_of(url, insecure=False)
    except NeedsPermission as problem:
        raise Forbidden(f"base_url: {problem}. That is allowed on the machine only.") from None
    except ValueError as problem:
        # The URL is not repeated: it may hold a key.
        raise BadRequest(f"base_url cannot be used: {problem}.") from None


def _read_protocols(names: list[str]) -> tuple[str, ...]:
    try:
        return changes.protocols_of(names)
    except ValueError as problem:
        raise BadRequest(f"protocols is {display(','.join(names))}; expected {problem}, as a list.") from None


def _read_key(key: str, own: OwnKeys) -> str:
    if looks_like_one(key.strip().strip("\ufeff").strip()):
        raise Forbidden(
            "key is a reference, not a key. References change on the machine only: fairlead backend set NAME with "
            "--key-env, --key-file, --key-cmd or --keyring."
        )
    return _check(lambda text: own.check(Secret(check_entered(text, "key")), "key").reveal(), key)


def _read_auth(asked: NewBackend) -> Literal["client", "none"] | None:
    if asked.auth not in (None, "key", "client", "none"):
        # The value is not repeated: it may be a key in the wrong field.
        raise BadRequest("auth is something else; expected key, client or none.")
    if asked.auth in ("client", "none"):
        if asked.key is not None:
            raise BadRequest(f'key and "auth": "{asked.auth}" cannot be used together.')
        return "client" if asked.auth == "client" else "none"
    return None


def _show_backend(call: HomeCall, backend: Backend) -> StoredBackend:
    return describe_backend(backend, call.environ, call.headers.get(backend.name, ()))


def _check_backend(call: HomeCall, backend: Backend) -> CheckedBackend:
    fields: dict[str, Any] = msgspec.structs.asdict(_show_backend(call, backend))
    fields["accounts"] = tuple(_check_accounts(call, backend))
    return CheckedBackend(**fields, problem=call.problems.get(backend.name))


def _check_accounts(call: HomeCall, backend: Backend) -> Iterator[CheckedAccount]:
    for account, stored in zip(backend.accounts, describe_accounts(backend, call.environ), strict=True):
        key_problem = redacted.problem_of(account, call.environ, call.own_keys)
        problem = key_problem
        if problem is None and stored.serves:
            problem = call.problems.get(backend.name)
        yield CheckedAccount(**msgspec.structs.asdict(stored), problem=problem, key_problem=key_problem)


def _list_account(call: HomeCall, backend: str, account: CheckedAccount) -> ListedAccount:
    live = call.accounts.get((backend, account.alias))
    state: dict[str, Any] = msgspec.structs.asdict(live) if live is not None else {}
    return ListedAccount(backend=backend, **msgspec.structs.asdict(account) | state)


def _list_unread(problems: Sequence[backends.Problem]) -> list[UnreadFile]:
    return [UnreadFile(backend=problem.name, message=problem.message) for problem in problems]
