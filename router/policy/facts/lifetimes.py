"""For how long the caches of models keep a prompt, as their answers show it, by backend and model.

Few providers document it, and servers that speak a provider's protocol have caches of their own. A hit after a pause
shows that a prompt stays for so long at least; a miss of which nothing in the request is the cause, that it may be gone
after so long. A hit after a longer pause than that of a miss shows that the miss had another cause.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from router.backends.cache_rules import SeenLifetime

#: Most models that are held; the one that was seen longest ago goes first.
ENTRIES = 1000
#: Characters of a model's name; models with longer names are not held.
NAME_LIMIT = 256
#: Seconds after which what was not seen again is forgotten: providers change their caches.
MAX_AGE_SECONDS = 30 * 86_400
#: Seconds of the shortest pause that tells anything: a prompt that is gone sooner was evicted.
LEAST_SECONDS = 60
# What differs by less than a tenth is the same, so that little is stored.
_SAME = 10
_DAY = 86_400


class ReadLifetimes(Protocol):
    """Where the lifetimes that were seen are read."""

    def seen(self, backend: str, model: str) -> SeenLifetime | None:
        """What was seen of a model, None for nothing. model: as the backend names it."""
        ...


class SeenLifetimes:
    """The lifetimes that were seen. They may be read and changed from several threads: the table is replaced as a
    whole."""

    def __init__(self) -> None:
        #: By backend and model, the one that was seen last at the end.
        self._found: Mapping[tuple[str, str], SeenLifetime] = {}

    def seen(self, backend: str, model: str) -> SeenLifetime | None:
        """What was seen of a model, None for nothing. model: as the backend names it."""
        return self._found.get((backend, model))

    def note_kept(self, backend: str, model: str, seconds: int, *, at: float) -> SeenLifetime | None:
        """Note that a prompt was still there after a pause. Returns what is to be stored, None for nothing new."""
        if seconds < LEAST_SECONDS or not model or len(model) > NAME_LIMIT:
            return None
        kept, dropped, before = self.seen(backend, model) or SeenLifetime(0, 0, 0.0)
        refuted = 0 < dropped <= seconds
        confirmed = seconds >= kept - kept // _SAME and at - before >= _DAY
        if not (refuted or confirmed or seconds > kept + kept // _SAME):
            return None
        return self._put(backend, model, SeenLifetime(max(kept, seconds), 0 if refuted else dropped, at))

    def note_dropped(self, backend: str, model: str, seconds: int, *, at: float) -> SeenLifetime | None:
        """Note that a prompt was gone after a pause though nothing had changed. Returns what is to be stored, None for
        nothing new."""
        kept, dropped, before = self.seen(backend, model) or SeenLifetime(0, 0, 0.0)
        if seconds < LEAST_SECONDS or seconds <= kept or not model or len(model) > NAME_LIMIT:
            return None
        if dropped and seconds >= dropped - dropped // _SAME and (seconds >= dropped or at - before < _DAY):
            return None
        return self._put(backend, model, SeenLifetime(kept, min(dropped or seconds, seconds), at))

    def replace_all(self, found: Iterable[tuple[str, str, SeenLifetime]], *, since: float) -> None:
        """Take over what is stored, and keep of the rest what was seen after `since`, in seconds since 1970, which may
        not be stored yet."""
        stored = {(backend, model): one for backend, model, one in found}
        newer = {
            key: one
            for key, one in self._found.items()
            if one.at > since and (key not in stored or stored[key].at < one.at)
        }
        self._found = _bound({**stored, **newer})

    def _put(self, backend: str, model: str, one: SeenLifetime) -> SeenLifetime:
        self._found = _bound({**self._found, (backend, model): one})
        return one


def _bound(found: Mapping[tuple[str, str], SeenLifetime]) -> Mapping[tuple[str, str], SeenLifetime]:
    newest = sorted(found.items(), key=lambda entry: entry[1].at)
    return dict(newest[-ENTRIES:])
