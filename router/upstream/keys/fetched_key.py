"""A key as what gives it gave it."""

from typing import NamedTuple

from router.settings import Secret


class FetchedKey(NamedTuple):
    """A key, and how long it lives."""

    secret: Secret
    #: Seconds that it is valid for from now on; None where what gives it does not say.
    ends_in: float | None = None
    #: The secrets that it was made of or holds: an upstream may repeat them by themselves.
    parts: tuple[Secret, ...] = ()

    def __repr__(self) -> str:
        return f"FetchedKey(ends_in={self.ends_in})"
