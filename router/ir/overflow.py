"""The numbers of a request that is too long for its model."""

import msgspec


class Overflow(msgspec.Struct, frozen=True):
    """The numbers of a request with more tokens than its model takes; None for one that is not known."""

    #: Tokens of the request's input.
    input: int | None = None
    #: The most tokens that the request lets the model write.
    output: int | None = None
    #: Both, where they were told as a sum.
    total: int | None = None
    #: The model's limit for input and output together.
    window: int | None = None
    #: Its limit for the input.
    max_input: int | None = None

    @property
    def limit(self) -> int | None:
        """The limit that the request breaks."""
        return self.window if self.max_input is None else self.max_input

    @property
    def requested(self) -> int | None:
        """How many tokens the request has in the sense of `limit`; None where no known number of it is over that."""
        both = None if self.input is None or self.output is None else self.input + self.output
        counts = (self.input,) if self.max_input is not None else (self.total, both, self.input)
        return next((one for one in counts if one is not None and one > (self.limit or 0)), None)

    @property
    def input_fits(self) -> bool:
        """True when the input alone is within the known limits, so that a lower output limit helps as well."""
        if self.input is None or self.output is None or self.window is None:
            return False
        most = self.window if self.max_input is None else min(self.window, self.max_input)
        return self.input < most and self.input + self.output > self.window
