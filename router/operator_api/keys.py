"""Client keys as operators make, see and end them."""

import msgspec

from router.policy.budget.budgets import DOLLAR
from router.policy.grants.grant import find_end
from router.settings import format_value
from router.settings.tables import KEY_OPTIONS, KeyOptions
from router.store.keys.client_keys import StoredKey
from router.store.keys.shared_keys import SharedKey
from router.store.shared.key_books import KeyBook, KeyUse

#: The value of an option of a key; null is none.
OptionValue = str | int | float | bool | list[str] | None


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


class ListedKey(msgspec.Struct, kw_only=True):
    """A client key. Its secret is not known any more."""

    #: Its identity in the history and in budgets.
    name: str
    #: The last characters of the secret.
    last4: str
    #: Seconds since 1970.
    created: float
    #: The last day on which it is valid, in local time; null for no end.
    expires: str | None
    #: It is past that day.
    expired: bool
    #: Until when the secret before the last rotation is valid too, in seconds since 1970; null when it is not.
    previous_until: float | None
    #: What it may use, by the keys of `[keys.NAME]`, those that are not set left out.
    options: dict[str, OptionValue]
    #: As far back as the history goes.
    requests: int
    #: US dollars, without requests whose model has no price.
    cost_usd: float
    #: Within an hour: seconds since 1970; null for never.
    last_used: float | None
    #: Another home of the team has it, so what was used there is not counted here.
    elsewhere: bool = False


class KeyList(msgspec.Struct, kw_only=True):
    """The client keys."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    keys: list[ListedKey]
    #: Keys for processes, by name.
    children: list[str]
    #: Files that cannot be used.
    problems: list[str]


class NewKey(msgspec.Struct, kw_only=True):
    """A client key to make."""

    name: str
    #: What it may use, by the keys of `[keys.NAME]`.
    options: dict[str, OptionValue] = {}


class KeyMade(msgspec.Struct, kw_only=True):
    """A key was made. It is shown here alone."""

    name: str
    key: str
    #: As in /status.
    problems: list[str] = []


class KeyChange(msgspec.Struct, kw_only=True):
    """What a key may use from now on: options that are not named stay, null takes one away."""

    options: dict[str, OptionValue]


class KeyRotation(msgspec.Struct, kw_only=True):
    """A new secret for a key."""

    #: Seconds for which the old one stays valid.
    grace_s: float = 0.0


class KeyChanged(msgspec.Struct, kw_only=True):
    """The key was changed, or ended."""

    name: str
    #: As in /status.
    problems: list[str] = []


def describe_shared_key(name: str, key: SharedKey, use: KeyUse | None, now: float) -> ListedKey:
    """A key of another home, as `describe_key`."""
    return msgspec.structs.replace(describe_key(name, key.stored, key.options, use, now), elsewhere=True)


def describe_key(name: str, key: StoredKey, options: KeyOptions, use: KeyUse | None, now: float) -> ListedKey:
    """A key as operators see it. use: what the history has of it. now: seconds since 1970."""
    end = None if options.expires is None else find_end(options.expires)
    previous = key.previous.until if key.previous is not None and now < key.previous.until else None
    return ListedKey(
        name=name,
        last4=key.last4,
        created=key.created,
        expires=options.expires,
        expired=end is not None and now >= end,
        previous_until=previous,
        options=list_options(options),
        requests=0 if use is None else use.requests,
        cost_usd=0.0 if use is None else use.cost / DOLLAR,
        last_used=None if use is None else use.last_used,
    )


def list_options(options: KeyOptions) -> dict[str, OptionValue]:
    """What is set of a key's table."""
    default, found = KeyOptions(), dict[str, OptionValue]()
    for entry in KEY_OPTIONS:
        value: tuple[str, ...] | OptionValue = getattr(options, entry.attribute)
        if value != getattr(default, entry.attribute):
            found[entry.key] = list(value) if isinstance(value, tuple) else value
    return found


def describe_limits(options: KeyOptions) -> str:
    """What a key may use, in a line; '' when nothing is limited."""
    found: list[str] = []
    for key, value in list_options(options).items():
        if key != "expires":
            text = ",".join(value) if isinstance(value, list) else format_value(value)
            found.append(f"{key} {text or 'none'}")
    return ", ".join(found)
