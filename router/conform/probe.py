"""A probe: one question to a backend."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from router.conform.bench import Bench
from router.conform.record import Finding


class Probe(NamedTuple):
    """One question."""

    #: `GROUP.NAME`, stable: files and --probes name it.
    id: str
    #: What `yes` means, in a few words.
    asks: str
    #: Sends what it needs and judges it. Raises Unknown.
    run: Callable[[Bench], Awaitable[Finding]]
    #: It costs very many tokens, or more than tokens: it runs only where it is named.
    dear: bool = False

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


class Group(NamedTuple):
    """Probes that belong together, the cheap ones first."""

    name: str
    probes: Sequence[Probe]
