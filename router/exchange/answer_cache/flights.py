"""Lets one of several equal requests ask the backend, while the others wait for its answer."""

from typing import Literal

import trio

#: How the leading request ended: `kept`: its answer was found or kept. `failed`: another may lead. `alone`: its answer
#: cannot be given to others, so that none is to wait for another.
Ending = Literal["kept", "failed", "alone"]


class Flight:
    """A request that leads."""

    __slots__ = ("ended", "ending")

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.ending: Ending = "failed"


class Flights:
    """The leading requests, by the keys of their answers."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}

    def join(self, key: bytes) -> Flight | None:
        """The flight of the request that leads; None for a request that leads from now on, and has to `end` that."""
        flight = self._flights.get(key)
        if flight is None:
            self._flights[key] = Flight()
        return flight

    def end(self, key: bytes, ending: Ending) -> None:
        """End the flight of a request that leads; again without effect."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.ending = ending
            flight.ended.set()
