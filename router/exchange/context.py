"""What is known of one request: on its arrival, and once it is read and routed."""

import hmac
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import trio

from router.exchange.body.body import Body, BodySource, run_in_thread
from router.exchange.body.frames import ArrayFrames, Frames
from router.host.access import strip_scheme
from router.host.memory_bound import MemoryShare
from router.ir import RoutingFacts
from router.net.server.connection import Connection, Request
from router.policy.routing.routes import Route
from router.settings import Secret
from router.telemetry.accesslog import RequestRecord
from router.upstream.runtime import Runtime
from router.wire.calls import Call

if TYPE_CHECKING:
    from router.net.headers import Lines
    from router.policy.grants.grant import Grant
    from router.telemetry.capture import CaptureRecorder
    from router.wire.tool_context.fields import Field, ToolName

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class Arrival:
    """A request whose head was read. `record` is filled in until the request ends."""

    __slots__ = (
        "call",
        "capture",
        "capture_limit",
        "connection",
        "cors",
        "frames",
        "grant",
        "memory",
        "own_keys",
        "record",
        "request",
        "runtime",
        "snapshot",
    )

    def __init__(self, runtime: Runtime, connection: Connection, request: Request, call: Call, record: RequestRecord):
        self.runtime = runtime
        #: The configuration that holds for the request to its end, whatever is reloaded meanwhile.
        self.snapshot = runtime.snapshot
        self.connection = connection
        self.request = request
        #: How the events of its answer are framed.
        self.frames: Frames = ArrayFrames(connection) if call.array else connection
        #: By its path; a Chat call whose body is a Responses request becomes one when the body is read.
        self.call = call
        self.record = record
        #: fairlead's own keys, which are never sent to an upstream.
        self.own_keys: Sequence[bytes] = ()
        #: What the caller's key may use; None for the default key, and without one.
        self.grant: Grant | None = None
        #: Headers that let a page of a listed origin read the answer.
        self.cors: Lines = []
        #: Bytes of each body that are kept beside the request, for -vv.
        self.capture_limit: int = runtime.capture_limit()
        #: Records the request while history.capture is on; None for one that is not captured.
        self.capture: CaptureRecorder | None = runtime.begin_capture(request.arrived, request.fields)
        #: Counts the bytes of the request body against the bound of all buffers.
        self.memory = MemoryShare(runtime.memory)

    @property
    def key_owner(self) -> str:
        """The name under which ids belong to the caller: '' for those of the default key and of callers without one."""
        return "" if self.grant is None else self.grant.owner

    def body_source(self) -> BodySource:
        """The source that the request's body is read from."""
        total = self.snapshot.settings.timeouts_total
        return BodySource(self.connection, self.request, self.memory.hold, self.memory.release, total)

    def elapsed(self) -> float:
        """Seconds since the request arrived."""
        return trio.current_time() - self.request.arrived

    async def run_in_thread(self, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        """Run work on a large body in the one thread for such work."""
        return await run_in_thread(self.connection, self.snapshot.settings.timeouts_total, work, *arguments)

    def caller_credentials(self, names: frozenset[bytes]) -> frozenset[bytes]:
        """The headers, of those named, that hold the caller's own credential and not one of fairlead's keys."""
        values = [(name, strip_scheme(value)) for _, name, value in self.request.lines if name in names]
        return names - {name for name, value in values if any(hmac.compare_digest(value, key) for key in self.own_keys)}

    def hide_credentials(self, names: frozenset[bytes]) -> None:
        """Redact what these headers hold in captured bodies: an upstream that gets it may repeat it in its answer."""
        if self.capture_limit or self.capture is not None:
            values = [strip_scheme(value) for _, name, value in self.request.lines if name in names]
            self.runtime.log.hide([Secret(value.decode("latin-1")) for value in values])


class RequestContext(Arrival):
    """A request that was read and routed. Only its record changes from here on."""

    __slots__ = ("body", "facts", "filled_fields", "issues_id", "route")

    def __init__(self, arrival: Arrival, facts: RoutingFacts, body: Body, route: Route, *, issues_id: bool):
        self.runtime = arrival.runtime
        self.snapshot = arrival.snapshot
        self.connection = arrival.connection
        self.frames = arrival.frames
        self.request = arrival.request
        self.call = arrival.call
        self.record = arrival.record
        self.own_keys = arrival.own_keys
        self.grant = arrival.grant
        self.cors = arrival.cors
        self.capture = arrival.capture
        self.capture_limit = arrival.capture_limit
        self.memory = arrival.memory
        self.facts = facts
        self.body = body
        #: Where routing sends it first.
        self.route = route
        #: True when its answer may issue an id to remember.
        self.issues_id = issues_id
        #: The fields of the caller's tools that are filled where the model leaves them empty; None for none.
        self.filled_fields: dict[ToolName, tuple[Field, ...]] | None = None
