"""One finished request as the history, the metrics and the live stream get it."""

import msgspec

from router.policy.accounts.attempt import AttemptRecord, BindingRecord
from router.wire.headers.rate_limits import Windows


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One finished request. started: seconds since 1970; queued, first_byte, total: seconds. root: the backend's URL,
    by which its prices are found. Token counts are None where nobody knows them. tries: what `attempts` counts, as far
    as it is known. given_up: cached tokens that were left behind when the account was changed."""

    id: str
    started: float
    method: str
    path: str
    client: str = ""
    protocol: str = ""
    model: str = ""
    served: str = ""
    backend: str = ""
    root: str = ""
    account: str = ""
    status: int = 0
    error: str = ""
    attempts: int = 0
    queued: float = 0.0
    first_byte: float | None = None
    total: float = 0.0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    losses: str = ""
    stream: bool = False
    billing: str = ""
    utilisation: float | None = None
    windows: Windows | None = None
    tag: str = ""
    estimated: bool = False
    notes: str = ""
    tries: tuple[AttemptRecord, ...] = ()
    binding: BindingRecord | None = None
    given_up: int | None = None


#: Cost in billionths of a US dollar (None: the price is unknown), and where the price is from.
Priced = tuple[int | None, str]
