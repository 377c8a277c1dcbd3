"""Computes a backend after it is added or changed, for the command line and the operator API.

No I/O: the caller reads and writes the files, checks names and keys, and converts these errors to its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from router.backends import AUTH_HEADERS, PROTOCOLS, Account, AuthHeader, Backend, Known
from router.backends.known import api_root, find_risk, host_of, known, same_place, vendor_of
from router.backends.variables import fill_roots, match_root

FIRST_ALIAS = "default"
_NO_VARIABLES: Mapping[str, str] = {}
#: Stands for each tool's own login among the accounts that a change removes; answers name it so.
LOGIN = Account("client", "")

Auth = Literal["key", "client", "none"]


class NeedsPermission(ValueError):
    """A URL that is only used if the user allows it. root: the root that the URL names. step: what else helps, ''."""

    step = ""

    def __init__(self, root: str, why: str):
        super().__init__(f"{host_of(root)} is {why}")
        self.root = root


class PublicHttp(NeedsPermission):
    """An http:// URL of a public address."""

    step = "Use https://, or allow it"

    def __init__(self, root: str):
        super().__init__(root, "a public address, and http:// would show keys and texts to everyone on the way")


class LinkLocal(NeedsPermission):
    """A URL of a link-local address, or of a cloud's metadata service."""

    step = "Allow it"

    def __init__(self, root: str):
        super().__init__(root, "link-local, and clouds give out a machine's own credentials at such addresses")


class Unfit(ValueError):
    """A change that does not fit the backend: it takes no accounts (`login`), has this account already (`taken`) or
    does not have it (`absent`)."""

    def __init__(self, kind: Literal["login", "taken", "absent"], message: str):
        super().__init__(message)
        self.kind = kind


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The settings asked for a backend; None keeps its value, or that of the known provider."""

    #: As `root_of` returns it.
    root: str | None = None
    #: As `protocols_of` returns them.
    protocols: tuple[str, ...] | None = None
    auth: Literal["client", "none"] | None = None
    #: A literal or a reference, checked; it makes auth `key`.
    key: str | None = None
    enabled: bool | None = None
    insecure_http: bool = False
    #: The values of the provider's variables, as `variables.read_variables` returns them; {}: none are asked for.
    variables: Mapping[str, str] = {}
    #: How the key is sent.
    auth_header: AuthHeader | None = None

    def __repr__(self) -> str:
        return "Wish(…)"


class Outcome(NamedTuple):
    """The result of a change."""

    backend: Backend
    #: Accounts that the change removes; LOGIN where each tool's own login is no longer passed on.
    dropped: tuple[Account, ...] = ()
    #: Why they are removed, '' when none is.
    why: str = ""


def root_of(url: str, *, insecure: bool) -> str:
    """The root that a base URL names. Raises ValueError with what is wrong with it, NeedsPermission unless
    `insecure`."""
    root = api_root(url)
    risk = "" if insecure else find_risk(root)
    if risk:
        raise (PublicHttp if risk == "http" else LinkLocal)(root)
    return root


def protocols_of(names: Iterable[str]) -> tuple[str, ...]:
    """The protocols of these names, each once, in their usual order. Raises ValueError with what was expected."""
    asked = {part.strip().lower() for part in names if part.strip()}
    if not asked or asked - set(PROTOCOLS):
        raise ValueError(f"some of {','.join(PROTOCOLS)}")
    return tuple(protocol for protocol in PROTOCOLS if protocol in asked)


def auth_header_of(form: str) -> AuthHeader:
    """The form of the key's header of that name. Raises ValueError with what was expected."""
    if form not in AUTH_HEADERS:
        raise ValueError(f"one of {', '.join(AUTH_HEADERS)}")
    return form


def root_for(name: str, wish: Wish, before: Backend | None) -> str | None:
    """The root for a backend: the one asked for, else its present one, else the known provider's, else None. Of a
    provider with several roots it is the main one. Raises ValueError for a root that its provider does not have."""
    entry = known(name)
    if wish.root is None:
        entry = known(before.vendor) if before is not None and before.vendor else entry
        if wish.variables and entry is not None:
            # One at a place of the user's own stays there.
            moved = before is not None and before.vendor == entry.name and match_root(entry, before.root) is None
            return fill_roots(entry, wish.variables, _place_of(before.root) if before and moved else "").root
        return before.root if before else entry.root if entry and not entry.variables else None
    entry = known_at(name, wish.root, wish.variables)
    if entry is None:
        return wish.root
    values = match_root(entry, wish.root)
    if values is None and entry.variables:
        return fill_roots(entry, wish.variables, _place_of(wish.root)).root
    filled = fill_roots(entry, values or {}, _place_of(wish.root))
    return filled.root if wish.root in filled.by_protocol.values() else wish.root


def known_at(name: str, root: str, variables: Mapping[str, str] = _NO_VARIABLES) -> Known | None:
    """The known provider that a backend is an instance of, None for others. variables: those that are known of it."""
    return known(_find_vendor(name, root, variables))


def _place_of(root: str) -> str:
    parts = urlsplit(root)
    return f"{parts.scheme}://{parts.netloc}"


def _find_roots(entry: Known | None, root: str, variables: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """The further roots of a backend with this one, and the values of its variables."""
    if entry is None:
        return {"roots": {}, "variables": {}}
    values = {**variables, **(match_root(entry, root) or {})}
    if entry.variables.keys() - values.keys():
        return {"roots": {}, "variables": {}}
    filled = fill_roots(entry, values, _place_of(root))
    # A root of another region, or a former one, is not followed by others.
    roots = {name: one for name, one in filled.by_protocol.items() if one != root}
    return {"roots": roots, "variables": {name: values[name] for name in entry.variables}}


def unchanged_keys(before: Backend | None, root: str) -> Backend | None:
    """The backend if its keys stay, None if its root is another place: a key is only for the place it was given for."""
    return before if before is not None and same_place(before.root, root) else None


def add_backend(name: str, wish: Wish, root: str, before: Backend | None, *, now: float) -> Outcome:
    """Add a backend, or replace it. Without a key it keeps the one it had, if any. Its protocols are () when they must
    be probed. now: seconds since 1970."""
    same = unchanged_keys(before, root)
    variables = wish.variables or (same.variables if same else {})
    entry = known_at(name, root, variables)
    auth, accounts = _choose_credentials(wish, same)
    backend = Backend(
        name=name,
        root=root,
        protocols=wish.protocols or (same.protocols if same else entry.protocols if entry else ()),
        vendor=entry.name if entry else "",
        auth=auth,
        accounts=accounts,
        enabled=same.enabled if same else True,
        added=before.added if before else now,
        insecure_http=wish.insecure_http or (same.insecure_http if same else False),
        auth_header=wish.auth_header or (same.auth_header if same else None),
        **_find_roots(entry, root, variables),
    )
    if before is not None and same is None and before.accounts:
        return Outcome(backend, before.accounts, "the base URL changed")
    if same is not None and same.accounts and not accounts:
        return Outcome(backend, same.accounts, _explain_auth(auth))
    return Outcome(backend)


def _explain_auth(auth: Auth) -> str:
    """Why a backend with this form of authentication has no keys."""
    return "requests carry each tool's own login now" if auth == "client" else "no key is needed now"


def _choose_credentials(wish: Wish, same: Backend | None) -> tuple[Auth, tuple[Account, ...]]:
    if wish.auth is not None:
        return wish.auth, ()
    if wish.key is not None:
        return "key", replace_key(same.accounts if same else (), wish.key)
    return (same.auth, same.accounts) if same else ("none", ())


def change_backend(before: Backend, wish: Wish) -> Outcome:
    """Apply the settings asked for; a root at another place drops the keys, and each tool's own login."""
    root = root_for(before.name, wish, before) or before.root
    vendor = _find_vendor(before.name, root, before.variables)
    changes: dict[str, Any] = {"root": root, "vendor": vendor}
    if wish.root is not None or wish.variables:
        changes |= _find_roots(known(vendor), root, {**before.variables, **wish.variables})
    if wish.auth_header is not None:
        changes["auth_header"] = wish.auth_header
    if wish.insecure_http:
        changes["insecure_http"] = True
    if wish.protocols is not None:
        changes["protocols"] = wish.protocols
    if wish.enabled is not None:
        changes["enabled"] = wish.enabled
    accounts, dropped, why = before.accounts, (), ""
    moved = not same_place(before.root, root)
    if accounts and moved:
        accounts, dropped, why = (), accounts, "the base URL changed"
    if before.auth == "client" and moved and wish.auth is None:
        changes["auth"], dropped, why = "key", (LOGIN,), "the base URL changed"
    if wish.auth is not None:
        if accounts:
            accounts, dropped, why = (), accounts, _explain_auth(wish.auth)
        changes["auth"] = wish.auth
    elif wish.key is not None:
        changes["auth"], accounts = "key", replace_key(accounts, wish.key)
    return Outcome(msgspec.structs.replace(before, accounts=accounts, **changes), dropped, why)


def list_moving(before: Backend | None, root: str, headers: Sequence[str]) -> Sequence[str]:
    """The names, of headers that config.toml sets for a backend, of those that go to another place with this root: they
    may hold secrets for the place they were set for. before: the backend until now, None for a new one."""
    return () if unchanged_keys(before, root) is not None else headers


def replace_key(accounts: tuple[Account, ...], key: str) -> tuple[Account, ...]:
    """Replace the key of the first account, the one used first; the others stay."""
    if not accounts:
        return (Account(FIRST_ALIAS, key),)
    return (Account(accounts[0].alias, key), *accounts[1:])


def check_place(backend: Backend, alias: str) -> None:
    """Raise Unfit when the backend cannot get an account of that name."""
    if backend.auth == "client":
        raise Unfit("login", f"{backend.name} passes on each tool's own login, so it has no accounts.")
    if any(account.alias == alias for account in backend.accounts):
        raise Unfit("taken", f"{backend.name} already has an account named {alias}.")


def add_account(backend: Backend, account: Account) -> Backend:
    """Add an account to the backend. Raises Unfit."""
    check_place(backend, account.alias)
    return msgspec.structs.replace(backend, auth="key", accounts=(*backend.accounts, account))


def remove_account(backend: Backend, alias: str) -> Outcome:
    """Remove an account from the backend. Raises Unfit."""
    gone = tuple(account for account in backend.accounts if account.alias == alias)
    if not gone:
        raise Unfit("absent", f"{backend.name} has no account {alias}.")
    left = tuple(account for account in backend.accounts if account.alias != alias)
    return Outcome(msgspec.structs.replace(backend, accounts=left), gone, "it was removed")


def _find_vendor(name: str, root: str, variables: Mapping[str, str]) -> str:
    entry = known(name)
    # A backend of such a name may be another server, as long as nothing fills in the variables of the provider.
    return name if entry and (variables or not entry.variables) else vendor_of(root)
