"""The parts of requests and answers that cannot be kept on their way."""

from typing import Literal

import msgspec


class Loss(msgspec.Struct, frozen=True):
    """A part of a request or answer that a translation could not keep."""

    #: The caller's field.
    path: str
    how: Literal["dropped", "weakened"]
