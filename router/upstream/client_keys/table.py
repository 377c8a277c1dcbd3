"""The client keys of a home as they were read, with what each may use."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.policy.grants.grant import TOOL_PREFIX, Grant, make_grant
from router.settings import Settings
from router.settings.tables import KeyOptions
from router.store.keys import client_keys as stored
from router.store.keys.shared_keys import SharedKey


@dataclass(frozen=True, slots=True)
class KeyTable:
    """The keys of a home as they were read, with their settings."""

    #: By name.
    grants: Mapping[str, Grant] = field(default_factory=dict[str, Grant])
    #: By the digest of the key.
    digests: Mapping[bytes, Grant] = field(default_factory=dict[bytes, Grant])
    #: Those of keys without an end, for which nothing more is to be asked.
    plain: Mapping[bytes, Grant] = field(default_factory=dict[bytes, Grant])
    #: Digests of keys that were replaced -> until when they are valid, in seconds since 1970.
    until: Mapping[bytes, float] = field(default_factory=dict[bytes, float])
    #: What was read of the files, for the next reading.
    loaded: stored.LoadedKeys = stored.LoadedKeys()
    #: There are keys that were not made for tools of this machine.
    has_others: bool = False
    #: Problems to show to the user, each with its fix.
    problems: tuple[str, ...] = ()


NO_KEYS = KeyTable()


def build_table(
    loaded: stored.LoadedKeys, settings: Settings, elsewhere: Mapping[str, SharedKey] | None = None
) -> KeyTable:
    """The keys of a home with their settings. elsewhere: the keys of other homes of its team. For threads: there may be
    thousands."""
    none = KeyOptions()
    grants: dict[str, Grant] = {}
    digests: dict[bytes, Grant] = {}
    until: dict[bytes, float] = {}
    for name, key in loaded.found.items():
        grant = grants[name] = make_grant(name, settings.keys.get(name, none))
        digests[bytes.fromhex(key.sha256)] = grant
        if key.previous is not None:
            old = bytes.fromhex(key.previous.sha256)
            digests[old], until[old] = grant, key.previous.until
    others = elsewhere or {}
    lacking = tuple(
        _explain_lacking(name, name in others)
        for name, options in settings.keys.items()
        if name not in grants and (name not in others or others[name].options != options)
    )
    plain = {digest: one for digest, one in digests.items() if one.expires is None and digest not in until}
    has_others = any(not name.startswith(TOOL_PREFIX) for name in grants)
    return KeyTable(grants, digests, plain, until, loaded, has_others, (*loaded.problems, *lacking))


def _explain_lacking(name: str, is_elsewhere: bool) -> str:
    if is_elsewhere:
        return (
            f"keys.{name} is set here and has no effect: another home of the team has that key, with other options. "
            f"Take it out:   fairlead config unset keys.{name}"
        )
    return f"keys.{name} is set, and there is no key of that name. Make it:   fairlead keys add {name}"
