"""The copy that a home keeps of the client keys of its team, by which commands know the keys of other homes."""

import msgspec

from router.errors import CommandError
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


def list_elsewhere(home: Home) -> dict[str, SharedKey]:
    """The valid keys that other homes of the team have, by name. Blocks."""
    copy = read_copy(home)
    rows = {} if copy is None else copy.rows
    return {name: row for name, row in rows.items() if not row.revoked and copy and row.origin != copy.origin}


def find_row(home: Home, name: str) -> SharedKey | None:
    """The valid key of that name in the team, also that of this home. Blocks."""
    copy = read_copy(home)
    row = None if copy is None else copy.rows.get(name)
    return None if row is None or row.revoked else row


def mark_revoked(home: Home, name: str) -> bool:
    """Have a key of another home of the team end, by the proxy of this one; False when none of that name is known here.
    Raises CommandError."""
    if find_row(home, name) is None:
        return False
    home.write(f"{FOLDER}/{name}{MARK}", b"")
    return True
