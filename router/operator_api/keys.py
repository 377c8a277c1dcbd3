"""Client keys as operators make, see and end them."""

import msgspec

from router.store.history.read_keys import KeyBook


class NewChildKey(msgspec.Struct, kw_only=True):
    """A key for one process and what it starts; it may use what a model answers, and ends with the process."""

    #: Number of the process.
    pid: int
    #: When it began, as `store.home.processes.find_birth` has it.
    pid_started: str
    #: The beginning of its name, such as that of the program.
    name: str = "run"
    #: The key whose limits hold too, by its name or as itself; '' for none.
    parent: str = ""
    #: US dollars that it may spend; null for no limit of its own.
    budget_usd: float | None = None
    #: The tag of its requests; '' to leave it to the program.
    tag: str = ""
    #: Globs on the models it may use; null for all.
    models: list[str] | None = None
    #: Seconds after which it ends unless it is renewed, at most 86400.
    ttl_s: float | None = None
    #: A key that an earlier proxy of this home made, to go on with under the same `name`; '' for a new one.
    key: str = ""


class ChildKey(msgspec.Struct, kw_only=True):
    """A key for one process. It is shown here alone."""

    key: str
    #: Its identity in the history and in budgets.
    name: str
    #: Seconds since 1970, unless it is renewed.
    expires: float


class ChildRenewed(msgspec.Struct, kw_only=True):
    """The key goes on."""

    name: str
    #: Seconds since 1970, unless it is renewed.
    expires: float


class ChildRevoked(msgspec.Struct, kw_only=True):
    """The key has ended."""

    name: str
    #: What its requests used, those that still run left out.
    book: KeyBook
