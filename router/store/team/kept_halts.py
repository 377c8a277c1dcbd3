"""The halts that a home keeps on its disk, so that a proxy which starts while the server is away still halts.

Rules of this file: a halt is on the disk before it is told, or it is lost with the process. What the server tells takes
the place of all of them. A disk that takes none is said once, and stops nothing else.
"""

from collections.abc import Callable, Collection, Sequence

import msgspec

from router.errors import CommandError
from router.policy.budget.guard import Halt
from router.store.home.home import Home

#: The path of the file in a home.
PATH = "shared/halts.json"


class KeptHalts:
    """The file of one home. All but `halts` blocks. say: logs a line for the user."""

    def __init__(self, home: Home, say: Callable[[str], None]):
        #: Those that hold as far as the home knows; of some the time may be over.
        self.halts: tuple[Halt, ...] = ()
        self._home = home
        self._say = say
        self._written: Sequence[Halt] | None = None
        self._said = False

    def load(self) -> None:
        """Read the file."""
        try:
            data = self._home.read(PATH)
            found = () if data is None else msgspec.json.decode(data, type=tuple[Halt, ...])
        except (CommandError, msgspec.DecodeError) as error:
            self._complain("read", error)
            return
        self.halts = self._written = found

    def add(self, halts: Collection[Halt]) -> None:
        """Keep further ones."""
        known = {halt.scope: halt for halt in (*self.halts, *halts)}
        self.halts = tuple(known.values())
        self.write()

    def write(self) -> None:
        """Write `halts` where they are not on the disk; returns once they are."""
        halts = self.halts
        if halts == self._written or (not halts and not self._written):
            return
        try:
            self._home.write(PATH, msgspec.json.encode(halts))
            self._written = halts
        except CommandError as error:
            self._complain("written", error)

    def _complain(self, what: str, error: Exception) -> None:
        if not self._said:
            self._said = True
            self._say(f"guard: the halts that this home keeps could not be {what}: {error}")
