"""The client keys of other homes of a team beside those of this one."""

from collections.abc import Mapping
from dataclasses import replace

from router.policy.grants.grant import TOOL_PREFIX, make_grant
from router.settings import Settings
from router.settings.tables import KeyOptions
from router.store.interfaces import SharedKeys
from router.store.keys.shared_keys import SharedKey, share_key
from router.upstream.client_keys.table import KeyTable


def tell_keys(shared: SharedKeys, table: KeyTable, settings: Settings) -> None:
    """Tell the other homes the keys of this one, without those of tools of this machine."""
    none, loaded = KeyOptions(), table.loaded
    own = {
        name: share_key(key, settings.keys.get(name, none))
        for name, key in loaded.found.items()
        if not name.startswith(TOOL_PREFIX)
    }
    shared.tell(own, complete=not loaded.problems, revoked=loaded.revoked)


def list_others(own: KeyTable, shared: Mapping[str, SharedKey]) -> list[str]:
    """The names of the keys of other homes that are valid. A name that this home has too is its own here, unless it is
    that of one key, which was changed elsewhere later."""
    return [name for name, row in shared.items() if not row.revoked and not _is_own(own, name, row)]


def _is_own(own: KeyTable, name: str, row: SharedKey) -> bool:
    key = own.loaded.found.get(name)
    if key is None:
        return name in own.grants
    return not row.replaces(key)


def add_shared(own: KeyTable, shared: Mapping[str, SharedKey]) -> KeyTable:
    """The keys of this home with those of others, without any that was ended, or replaced, elsewhere."""
    if not shared:
        return own
    grants, digests, until = dict(own.grants), dict(own.digests), dict(own.until)
    for name, row in shared.items():
        key = own.loaded.found.get(name)
        if key is not None and key.identity == row.identity and (row.revoked or not _is_own(own, name, row)):
            ended = grants.pop(name, None)
            digests = {digest: grant for digest, grant in digests.items() if grant is not ended}
    for name in list_others(own, shared):
        row = shared[name]
        grant = grants[name] = make_grant(name, row.options)
        digests[bytes.fromhex(row.sha256)] = grant
        if row.previous is not None:
            old = bytes.fromhex(row.previous.sha256)
            digests[old], until[old] = grant, row.previous.until
    plain = {digest: one for digest, one in digests.items() if one.expires is None and digest not in until}
    others = any(not name.startswith(TOOL_PREFIX) for name in grants)
    return replace(own, grants=grants, digests=digests, plain=plain, until=until, has_others=others)
