"""What `why` shows of the way a request took: its attempts, and the account its conversation is bound to.

The exchange fills the records in as it goes; the history stores them. Names, numbers and the short text of an error, no
text of a request.
"""

import msgspec


class AttemptRecord(msgspec.Struct, kw_only=True, gc=False):
    """One request that was sent, or was to be sent, upstream."""

    #: Seconds from the request's arrival.
    at: float
    backend: str
    account: str
    #: Of the answer's head, 0 when none came.
    status: int = 0
    #: The class of error, '' when the answer was passed on.
    error: str = ""
    #: What followed, in a word (`parked`, `cooled`, `retried`, `moved`), '' when this was the last one.
    done: str = ""
    #: More about it, such as `reset in 38 min`.
    note: str = ""
    #: The text of the error, at most 200 bytes, without secrets.
    text: str = ""


class BindingRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The account a conversation was bound to when the request came."""

    account: str
    #: A hash of the conversation's key, at most 16 characters, never the key itself.
    session: str
    #: Requests of the conversation so far, this one included.
    turns: int
