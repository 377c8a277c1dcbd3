"""The history as operators read it: sums of a window, pages of requests, and an event for each request that ends."""

from typing import Any

import msgspec

from router.store.history.entry import HistoryEntry
from router.store.history.read_requests import RecordedRequest
from router.store.history.read_usage import UsageSummary


class Analytics(UsageSummary, kw_only=True):
    """Sums of a window of the history, by name within each role, most requests first."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: Why the history cannot be written, null when it can.
    history: str | None
    #: Bodies of requests are captured.
    capture: bool


class HistoryPage(msgspec.Struct, kw_only=True):
    """Requests, the newest first."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: Empty when there is no older one.
    requests: list[RecordedRequest]


class HistoryRequest(msgspec.Struct, kw_only=True):
    """One request."""

    #: 1 until a field goes or changes its meaning; new ones may come.
    schema: int
    #: The request.
    request: RecordedRequest


# Derived, so that a field of an entry is named in one place. The URL of a backend is left out, since it may be private;
# the backend's name is there.
LiveEvent: type[msgspec.Struct] = msgspec.defstruct(
    "LiveEvent",
    [
        ("schema", int),
        *(
            (field.name, field.type)
            for field in msgspec.structs.fields(HistoryEntry)
            if field.name not in ("root", "charge", "extras")
        ),
        ("cost_usd", float | None),
        ("price", str),
    ],
    namespace={
        "__doc__": "A request that has ended. Times are seconds, started since 1970. cost_usd is null when the "
        "price is unknown; price says where it is from."
    },
    kw_only=True,
)


def make_event(schema: int, entry: HistoryEntry, cost_usd: float | None, price: str) -> msgspec.Struct:
    """The event of a request. cost_usd: None when the price is unknown. price: the source of the price."""
    fields: dict[str, Any] = msgspec.structs.asdict(entry)
    # The charge and what is beside tokens are in the cost.
    del fields["root"], fields["charge"], fields["extras"]
    return LiveEvent(schema=schema, **fields, cost_usd=cost_usd, price=price)
