"""The structs in which the operator's API shows and changes backends. No answer holds a key."""

from collections.abc import Mapping, Sequence

import msgspec

from router.backends import Backend
from router.operator_api.accounts import UnreadFile
from router.store.config import redacted
from router.store.keys.references import describe, source


class StoredAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its backend's file has it."""

    #: Its name within its backend.
    alias: str
    #: Where its key is: `stored`, `env`, `file`, `cmd`, `keyring`, `login`, `aws`, `google` or `azure`.
    source: str
    #: The same in words.
    credentials: str
    #: Requests are sent with its key.
    serves: bool


class CheckedAccount(StoredAccount, frozen=True, kw_only=True):
    """An account, with the problem that keeps it from serving."""

    #: Why its key cannot be had, or why the running proxy cannot use its backend; else null.
    problem: str | None
    #: Why its key cannot be had, as far as the running proxy knows that without fetching it; else null.
    key_problem: str | None = None


class StoredBackend(msgspec.Struct, frozen=True, kw_only=True):
    """A backend as its file has it."""

    #: Its name, as in `NAME:MODEL`.
    name: str
    #: Where its API is.
    base_url: str
    #: Of `messages`, `chat` and `responses`, those it speaks.
    protocols: tuple[str, ...]
    #: `key`, `client` (each tool's own login) or `none`.
    auth: str
    #: How its requests are authenticated, in words.
    credentials: str
    #: It takes requests.
    enabled: bool
    #: Names of the headers that config.toml sets for it.
    headers: tuple[str, ...]
    #: Its accounts, in the order they were added.
    accounts: tuple[StoredAccount, ...]


class CheckedBackend(StoredBackend, frozen=True, kw_only=True):
    """A backend, with the problem that keeps it from serving."""

    #: Its accounts, in the order they were added.
    accounts: tuple[CheckedAccount, ...]
    #: Why it cannot serve now, or null.
    problem: str | None


class BackendList(msgspec.Struct, kw_only=True):
    """All configured backends."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: In the order they were added.
    backends: list[CheckedBackend]
    #: Files that cannot be read.
    problems: list[UnreadFile]


class NewBackend(msgspec.Struct, forbid_unknown_fields=True):
    """A backend to add."""

    #: Its name; the name of a known provider supplies the URL and the protocols.
    name: str
    #: May be left out for a known name.
    base_url: str | None = None
    #: May be left out for a known provider.
    protocols: list[str] | None = None
    #: `key`, `client` or `none`.
    auth: str | None = None
    #: The key itself; left out for the auth `client` and `none`, and for providers that need none.
    key: str | None = None
    #: What stands in the provider's URLs, by name: region, project, location, resource, account, workspace, host.
    variables: dict[str, str] = {}
    #: How the key is sent, where not as the provider has it: bearer, x-api-key, api-key or x-goog-api-key.
    auth_header: str | None = None


class BackendChange(msgspec.Struct, forbid_unknown_fields=True):
    """The changes to a backend; fields that are left out keep their value."""

    #: It takes requests.
    enabled: bool | None = None
    #: A base URL at another place drops the stored keys, and each tool's own login.
    base_url: str | None = None
    #: All protocols it speaks.
    protocols: list[str] | None = None
    #: Replaces the key of the first account.
    key: str | None = None
    #: How the key is sent, as for a new backend.
    auth_header: str | None = None


class BackendAdded(msgspec.Struct, kw_only=True):
    """A backend, or an account of it, was added."""

    #: The backend as it is now.
    backend: StoredBackend
    #: Problems of the configuration after the change, each with its fix.
    problems: list[str] = []


class BackendChanged(msgspec.Struct, kw_only=True):
    """A backend was changed."""

    #: The backend as it is now.
    backend: StoredBackend
    #: Aliases of the accounts that were removed, since their keys were given for another base URL; `client` where each
    #: tool's own login is no longer passed on.
    dropped: list[str]
    #: Problems of the configuration after the change, each with its fix.
    problems: list[str] = []


class BackendRemoved(msgspec.Struct, kw_only=True):
    """A backend was removed with its keys."""

    #: Its name.
    removed: str
    #: Problems of the configuration after the change, each with its fix.
    problems: list[str] = []


class AccountRemoved(msgspec.Struct, kw_only=True):
    """An account was removed with its key."""

    #: The backend as it is now.
    backend: StoredBackend
    #: The account's alias.
    removed: str
    #: Problems of the configuration after the change, each with its fix.
    problems: list[str] = []


def describe_backend(backend: Backend, environ: Mapping[str, str], headers: Sequence[str] = ()) -> StoredBackend:
    """A backend without its keys. headers: names of those that config.toml sets for it."""
    return StoredBackend(
        name=backend.name,
        base_url=backend.root,
        protocols=tuple(backend.protocols),
        auth=backend.auth,
        credentials=redacted.credentials(backend, lambda account: describe(account.key, environ)),
        enabled=backend.enabled,
        headers=tuple(headers),
        accounts=describe_accounts(backend, environ),
    )


def describe_accounts(backend: Backend, environ: Mapping[str, str]) -> tuple[StoredAccount, ...]:
    """The accounts of a backend without their keys."""
    return tuple(
        StoredAccount(
            alias=account.alias,
            source=source(account.key),
            credentials=describe(account.key, environ),
            serves=backend.enabled,
        )
        for account in backend.accounts
    )
