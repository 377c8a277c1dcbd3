"""The copy that a home keeps of the client keys of its team, by which commands know the keys of other homes."""

import msgspec

from router.errors import CommandError
from router.settings import Settings
from router.store.home.home import Home
from router.store.keys.client_keys import FOLDER, MARK
from router.store.keys.shared_keys import SharedKey

#: Its path in the home.
PATH = "shared/keys.json"


class SharedCopy(msgspec.Struct):
    """The file."""

    #: The name of this home among those of the team.
    origin: str
    #: What shows that it is not a copy of another home.
    place: str
    rows: dict[str, SharedKey] = {}

    def list_elsewhere(self) -> dict[str, SharedKey]:
        """The valid keys that other homes of the team have, by name."""
        return {name: row for name, row in self.rows.items() if not row.revoked and row.origin != self.origin}

    def find_row(self, name: str) -> SharedKey | None:
        """The valid key of that name in the team, also that of this home."""
        row = self.rows.get(name)
        return None if row is None or row.revoked else row


def read_copy(home: Home) -> SharedCopy | None:
    """The copy of a home; None where there is none, or it cannot be read. Blocks."""
    try:
        data = home.read(PATH)
        return None if data is None else msgspec.json.decode(data, type=SharedCopy)
    except (CommandError, msgspec.DecodeError):
        return None


def write_copy(home: Home, copy: SharedCopy) -> None:
    """Replace the copy. Blocks. Raises CommandError."""
    home.write(PATH, msgspec.json.encode(copy))


def read_team(home: Home, settings: Settings) -> SharedCopy:
    """What a home knows of the keys of its team: no rows where the settings name none, since a home that has left a
    team keeps the file. Blocks."""
    none = SharedCopy("", "")
    return none if settings.shared_url is None else read_copy(home) or none


def mark_revoked(home: Home, name: str) -> None:
    """Have a key of another home of the team end, by the proxy of this one. Raises CommandError."""
    home.write(f"{FOLDER}/{name}{MARK}", b"")
