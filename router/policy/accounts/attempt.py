"""What `why` tells of the way a request took: its attempts, and the account its conversation is bound to.

The exchange fills these in as it goes; the history keeps them. Names and numbers only, no text of a request.
"""

import msgspec


class Attempt(msgspec.Struct, kw_only=True, gc=False):
    """One request that was sent, or was to be sent, upstream.

    at: seconds from the request's arrival. status: of the answer's head, 0 when none came. error: its class, "" when
    the answer was taken. done: what followed, in a word (`parked`, `cooled`, `retried`, `moved`), "" when this was the
    last one. note: what more there is to say, such as `reset in 38 min`.
    """

    at: float
    backend: str
    account: str
    status: int = 0
    error: str = ""
    done: str = ""
    note: str = ""


class Binding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The account a conversation was bound to as the request came. session: a hash of its key, at most 16 characters,
    never the key itself. turns: requests of the conversation so far, this one included."""

    account: str
    session: str
    turns: int
