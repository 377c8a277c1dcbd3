"""Accounts as /status and /accounts report them, and the bodies that add one."""

import msgspec
from msgspec import UNSET, UnsetType


class AccountLimit(msgspec.Struct, kw_only=True):
    """A limit of an account, as its last answer reported it."""

    #: The provider's name for it.
    name: str
    #: The share in use, from 0 to 1.
    used: float
    #: Seconds until it starts again from zero.
    resets_s: float


class AccountStatus(msgspec.Struct, kw_only=True):
    """How an account is now, for any model."""

    #: Its name within its backend.
    alias: str
    #: `ready`, `parked`, `cooling`, `revoked`, `halted`, `login ended` or `unusable`.
    state: str
    #: The state in words, with its cause.
    reason: str
    #: Seconds until it is ready; null when it is, or when that is not known.
    until_s: float | None
    #: What is left of it, from 0 to 1; the user's own limits of its backend count too.
    headroom: float
    #: Its limits, as far as its answers reported them.
    limits: list[AccountLimit]
    #: Requests it serves now.
    running: int
    #: Of several accounts of a backend, the one that gets the next conversation.
    next: bool


class ListedAccount(msgspec.Struct, kw_only=True):
    """A configured account. The fields from `state` on are there for accounts that the running proxy uses."""

    #: The name of its backend.
    backend: str
    #: Its name within its backend.
    alias: str
    #: Where its key is: `stored`, `env`, `file`, `cmd`, `keyring`, `login`, `aws`, `google` or `azure`.
    source: str
    #: The same in words.
    credentials: str
    #: Requests are sent with its key.
    serves: bool
    #: Why its key cannot be had, or why the running proxy cannot use its backend; else null.
    problem: str | None
    #: Why its key cannot be had, as far as the running proxy knows that without fetching it; else null.
    key_problem: str | None = None
    #: As in AccountStatus.
    state: str | UnsetType = UNSET
    #: As in AccountStatus.
    reason: str | UnsetType = UNSET
    #: As in AccountStatus.
    until_s: float | UnsetType | None = UNSET
    #: As in AccountStatus.
    headroom: float | UnsetType = UNSET
    #: As in AccountStatus.
    limits: list[AccountLimit] | UnsetType = UNSET
    #: As in AccountStatus.
    running: int | UnsetType = UNSET
    #: As in AccountStatus.
    next: bool | UnsetType = UNSET


class UnreadFile(msgspec.Struct, kw_only=True):
    """A backend's file that cannot be read."""

    #: The name of the backend.
    backend: str
    #: What is wrong with the file.
    message: str


class AccountList(msgspec.Struct, kw_only=True):
    """The accounts of all backends."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: In the order of the backends.
    accounts: list[ListedAccount]
    #: Files that cannot be read.
    problems: list[UnreadFile]


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """An account to add."""

    #: The name of its backend.
    backend: str
    #: Its name within its backend.
    alias: str
    #: The key itself; references (`env:…`, `file:…`) are set on the machine only.
    key: str
