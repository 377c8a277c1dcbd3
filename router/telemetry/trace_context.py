"""W3C trace context: the span of a request is a child of the caller's, and the parent of those of listed hosts.

The ids of a request's own trace and span are made of its id, so that they need no memory, and so that the id in its
answer (`x-fairlead-request-id`) finds them.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import NamedTuple

PARENT, STATE = b"traceparent", b"tracestate"
#: Characters of a value that is kept; version 00 has 55.
PARENT_LIMIT = 64
#: Bytes of a tracestate that goes on, as the recommendation asks for at least.
STATE_LIMIT = 512
_LENGTH = 55
_HEX = b"0123456789abcdef"

Line = tuple[bytes, bytes, bytes]


class Parent(NamedTuple):
    """The span of a caller, in lower-case hexadecimal digits."""

    trace: str
    span: str
    #: False when the caller keeps no record of the trace: then no span is made of its requests.
    sampled: bool


class SpanIds(NamedTuple):
    """Where the span of a request stands, in lower-case hexadecimal digits."""

    trace: str
    span: str
    #: '' for a root.
    parent: str
    sampled: bool


def parse_parent(value: bytes) -> Parent | None:
    """What a `traceparent` says; None for one that is not valid, which is to be ignored."""
    version, trace, span, flags = value[:2], value[3:35], value[36:52], value[53:55]
    if len(value) < _LENGTH or value[2:3] + value[35:36] + value[52:53] != b"---":
        return None
    if (version == b"00" and len(value) > _LENGTH) or (len(value) > _LENGTH and value[_LENGTH : _LENGTH + 1] != b"-"):
        return None
    if version == b"ff" or not trace.strip(b"0") or not span.strip(b"0"):
        return None
    if (version + trace + span + flags).translate(None, _HEX):
        return None
    return Parent(trace.decode("ascii"), span.decode("ascii"), bool(int(flags, 16) & 1))


def find_ids(request: str, traceparent: bytes) -> SpanIds:
    """Where the span of a request stands. request: its id; traceparent: of its caller, b'' for none."""
    parent = parse_parent(traceparent)
    span = blake2b(request.encode(), digest_size=8, person=b"span").hexdigest()
    if parent is None:
        return SpanIds(blake2b(request.encode(), digest_size=16, person=b"trace").hexdigest(), span, "", sampled=True)
    return SpanIds(parent.trace, span, parent.span, parent.sampled)


def make_lines(request: str, fields: Mapping[bytes, bytes], *, exported: bool) -> list[Line]:
    """The header lines for a host that may have the trace context. fields: of the caller's request. exported: spans of
    fairlead are exported; otherwise the caller's own is the parent, since a span that nobody has would break the
    trace."""
    given = fields.get(PARENT, b"")
    if not exported:
        lines = [(PARENT, PARENT, given)] if parse_parent(given) is not None else []
    else:
        ids = find_ids(request, given)
        value = f"00-{ids.trace}-{ids.span}-{ids.sampled:02x}".encode("ascii")
        lines = [(PARENT, PARENT, value)]
    state = fields.get(STATE, b"")
    if parse_parent(given) is not None and 0 < len(state) <= STATE_LIMIT:
        lines.append((STATE, STATE, state))
    return lines


def is_listed(host: bytes, hosts: Collection[str]) -> bool:
    """True for a Host that the user lists. host: with its port, if it has one."""
    name = host.decode("latin-1").lower()
    if name in hosts:
        return True
    bare, colon, port = name.rpartition(":")
    return bool(colon) and port.isdecimal() and bare.strip("[]") in hosts
