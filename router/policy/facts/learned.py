"""The limits of models that upstreams told in their errors, by backend and model.

Such a limit is that of the backend as it runs, with the account and the context that it was started with: no table
knows it better. It is forgotten as soon as an answer shows that more was taken. An upstream may tell nonsense all the
same: `is_credible` says which limits may have a request refused.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

#: Most limits that are held; the one that was told longest ago goes first.
ENTRIES = 1000
#: Characters of a model's name; the limits of models with longer names are not held.
NAME_LIMIT = 256
#: Seconds after which a limit that was not told again is forgotten.
MAX_AGE_SECONDS = 30 * 86_400
#: The least and the most tokens that are believed to be a limit.
LEAST, MOST = 128, 100_000_000
#: The least limit, in tokens, that may have a request refused where nothing else is known of a model: a server that is
#: broken, or means harm, could else shut it off. Windows as small as this are not worth to be spared a request.
LEAST_REFUSING = 1024
#: A limit below this share of what other sources say is of something else, or an error: accounts and gateways that give
#: a part of a model's window give a quarter at least (272,000 of a million).
_SHARE = 4


class LearnedLimit(NamedTuple):
    """The limits of a model at a backend, in tokens; None for one that no error told."""

    #: Of input and output together.
    window: int | None
    #: Of the input alone.
    max_input: int | None
    #: When it was told, in seconds since 1970.
    at: float


class ReadLimits(Protocol):
    """Where the limits that were learned are read."""

    def learned(self, backend: str, model: str) -> LearnedLimit | None:
        """What errors told of a model, None for nothing. model: as the backend names it."""
        ...

    def taken(self, backend: str, model: str) -> int:
        """The most input tokens that an answer has shown a model to take, 0 where none has."""
        ...


class LearnedLimits:
    """The limits that were learned. They may be read and changed from several threads: the table is replaced as a
    whole."""

    def __init__(self) -> None:
        #: By backend and model, the one that was told last at the end.
        self._limits: Mapping[tuple[str, str], LearnedLimit] = {}
        self._taken: dict[tuple[str, str], int] = {}

    def learned(self, backend: str, model: str) -> LearnedLimit | None:
        """What errors told of a model, None for nothing. model: as the backend names it."""
        return self._limits.get((backend, model))

    def learn(
        self, backend: str, model: str, *, window: int | None = None, max_input: int | None = None, at: float
    ) -> LearnedLimit | None:
        """Note what an error told: what it did not tell stays. Returns the limit where it is new or differs from the
        one before, or that is a day old; None where nothing is to be stored, such as for absurd numbers."""
        window, max_input = _believe(window), _believe(max_input)
        if not model or len(model) > NAME_LIMIT or (window is None and max_input is None):
            return None
        before = self.learned(backend, model)
        if before is not None:
            window = before.window if window is None else window
            max_input = before.max_input if max_input is None else max_input
            if (window, max_input) == before[:2] and at - before.at < 86_400:
                return None
        if window is not None and max_input is not None and max_input > window:
            # They contradict each other: one of them is of an earlier start of the server.
            max_input = window
        found = LearnedLimit(window, max_input, at)
        self._put({(backend, model): found})
        return found

    def taken(self, backend: str, model: str) -> int:
        """The most input tokens that an answer has shown a model to take, 0 where none has."""
        return self._taken.get((backend, model), 0)

    def note_taken(self, backend: str, model: str, tokens: int) -> bool:
        """Note how many input tokens an answer shows a model to take, and forget its limit if that was less; True when
        there was such a one."""
        key = (backend, model)
        if tokens > self._taken.get(key, 0) and len(model) <= NAME_LIMIT:
            self._taken[key] = tokens
            if len(self._taken) > ENTRIES:
                del self._taken[next(iter(self._taken))]
        found = self._limits.get(key)
        if found is None or all(limit is None or tokens <= limit for limit in found[:2]):
            return False
        self.forget(backend, model)
        return True

    def forget(self, backend: str, model: str) -> None:
        """Forget what errors told of a model."""
        self._limits = {key: one for key, one in self._limits.items() if key != (backend, model)}

    def replace_all(self, found: Iterable[tuple[str, str, LearnedLimit]], *, since: float) -> None:
        """Take over the stored limits, and keep of the others those that were told after `since`, in seconds since
        1970, which may not be stored yet."""
        stored = {(backend, model): limit for backend, model, limit in found}
        newer = {
            key: limit
            for key, limit in self._limits.items()
            if limit.at > since and (key not in stored or stored[key].at < limit.at)
        }
        self._limits = {}
        self._put({**stored, **newer})

    def _put(self, added: Mapping[tuple[str, str], LearnedLimit]) -> None:
        limits = {key: one for key, one in self._limits.items() if key not in added}
        limits.update(sorted(added.items(), key=lambda entry: entry[1].at))
        for key in list(limits)[: max(0, len(limits) - ENTRIES)]:
            del limits[key]
        self._limits = limits


def _believe(tokens: int | None) -> int | None:
    """A limit, None for a number that is none."""
    return tokens if tokens is not None and LEAST <= tokens <= MOST else None


def is_credible(told: int, *, other: int | None, taken: int) -> bool:
    """True for a limit that an error told which may have a request refused before it is sent. other: the limit that
    other sources give, None where none does. taken: the most input tokens that an answer has shown the model to take.

    What was believed wrongly would shut a model off, since no answer can show any more that it takes more; what is not
    believed costs a request that is sent in vain."""
    return told >= max(LEAST_REFUSING if other is None else other // _SHARE, taken)
