"""Client keys as the proxies of a team tell them to each other: the digest of each, and what it may use."""

from collections.abc import Collection, Mapping

import msgspec

from router.settings.tables import KeyOptions
from router.store.keys.client_keys import Previous, StoredKey


class SharedKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """One client key."""

    #: As of StoredKey.
    sha256: str
    created: float = 0.0
    last4: str = ""
    previous: Previous | None = None
    options: KeyOptions = KeyOptions()
    #: The home that has its file.
    origin: str = ""
    #: Counts its changes: of two rows the one with more counts.
    version: int = 1
    #: As of StoredKey.
    first: str = ""
    #: It was ended, and is refused everywhere.
    revoked: bool = False

    @property
    def identity(self) -> str:
        """As of StoredKey."""
        return self.first or self.sha256

    @property
    def stored(self) -> StoredKey:
        """What a home that takes the key over keeps of it: a change that follows this row."""
        return StoredKey(self.sha256, self.created, self.last4, self.previous, self.first, self.version + 1)

    def replaces(self, key: "StoredKey | SharedKey") -> bool:
        """True where this, of another home, is a later change of a key than that. Of two of one version the one that is
        told last counts; what homes had before there were versions stays as it is."""
        return self.identity == key.identity and self.version >= max(2, key.version)

    @property
    def content(self) -> tuple[object, ...]:
        """What a change of the key changes."""
        return (self.sha256, self.previous, self.options, self.revoked)


def share_key(key: StoredKey, options: KeyOptions) -> SharedKey:
    """A key of this home in the form that is told."""
    return SharedKey(key.sha256, key.created, key.last4, key.previous, options, version=key.version, first=key.first)


class NoSharedKeys:
    """The keys of a home that shares them with none."""

    def tell(self, keys: Mapping[str, SharedKey], *, complete: bool, revoked: Collection[str] = ()) -> None:
        """Nothing is told."""

    def step(self) -> Mapping[str, SharedKey] | None:
        """Nothing changes."""
        return None
