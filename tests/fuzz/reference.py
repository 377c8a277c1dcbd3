"""A strict and slow reading of a client's bytes as HTTP/1.1 requests: RFC 9110, RFC 9112, and fairlead's own.

Written from those texts, not from h11 nor from `router.net`: what both read the same way is what is meant.
"""

import re
from typing import NamedTuple

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/(\d\.\d)")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[ \t]*[\x21-\x7e\x80-\xff])*)?)[ \t]*"
)
# Stricter than the text: 64 bits, and no white space before an extension.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*|[ \t]*)")
_SEGMENT = re.compile(rb"(?:\.|%2e){1,2}", re.IGNORECASE)


#: What says where a body ends; it is never forwarded.
FRAMING = (b"content-length", b"transfer-encoding")


class Read(NamedTuple):
    """One request as its sender meant it. fields: lower-case, less those of the framing."""

    method: bytes
    target: bytes
    fields: tuple
    body: bytes


class Refused(Exception):
    """Two servers could read it differently, or nobody can."""


class Incomplete(Exception):
    """More must come."""


def requests(data):
    """All requests, and how it ended: Refused, Incomplete, or None when the connection is to be closed."""
    found = []
    try:
        while True:
            request, data, last = _one(data)
            found.append(request)
            if last:
                return found, None
    except (Refused, Incomplete) as end:
        return found, type(end)


def _one(data):
    data = data.removeprefix(b"\r\n")
    head, found, rest = data.partition(b"\r\n\r\n")
    if data.startswith(b"\r\n"):
        raise Refused
    if not found:
        # What is wrong may show before the end has come.
        raise Incomplete if len(data) < 60_000 else Refused
    lines = head.split(b"\r\n")
    match = _LINE.fullmatch(lines[0])
    fields = [_FIELD.fullmatch(line) for line in lines[1:]]
    if match is None or None in fields or len(fields) > 100 or len(head) + 4 > 65536:
        raise Refused
    method, target, version = match.groups()
    fields = tuple((field[1].lower(), field[2]) for field in fields)
    _check_target(method, target)
    hosts = [value for name, value in fields if name == b"host"]
    if version not in (b"1.0", b"1.1") or len(hosts) > 1 or (not hosts and version == b"1.1"):
        raise Refused
    body, rest = _body(fields, version, rest)
    others = tuple(field for field in fields if field[0] not in FRAMING)
    options = b",".join(value for name, value in fields if name == b"connection").lower()
    closes = b"close" in [option.strip() for option in options.split(b",")]
    return Read(method, target, others, body), rest, closes or version == b"1.0"


def _check_target(method, target):
    path = target.partition(b"?")[0]
    if method == b"CONNECT" or not (target.startswith(b"/") or (target == b"*" and method == b"OPTIONS")):
        raise Refused
    if any(_SEGMENT.fullmatch(segment) for segment in path.split(b"/")):
        raise Refused
    if b"#" in target or b"\\" in path or b"%5c" in path.lower():
        raise Refused
    if len(path) > 4096:
        raise Refused
    # The rest of these paths is one name, which may hold anything.
    if re.match(rb"/+(?:v1/+)*models/", path):
        return
    escapes = [path[at + 1 : at + 3] for at, byte in enumerate(path) if byte == 0x25]
    if b";" in path or not all(re.fullmatch(rb"[0-9A-Fa-f]{2}", pair) for pair in escapes):
        raise Refused
    if any(code <= 0x1F or code in b"%;/\x7f" for code in (int(pair, 16) for pair in escapes)):
        raise Refused


def _body(fields, version, rest):
    lengths = {part.strip() for name, value in fields if name == b"content-length" for part in value.split(b",")}
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if codings:
        if lengths or codings != [b"chunked"] or version == b"1.0":
            raise Refused
        return _chunks(rest)
    if not lengths:
        return b"", rest
    [length] = lengths if len(lengths) == 1 else [b""]
    if not re.fullmatch(rb"[0-9]{1,20}", length):
        raise Refused
    size = int(length)
    if size > len(rest):
        raise Incomplete
    return rest[:size], rest[size:]


def _chunks(rest):
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            raise Incomplete
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Refused
        size = int(match[1], 16)
        if size == 0:
            return body, _trailers(rest)
        if rest[size : size + 2] != b"\r\n":
            raise Refused if len(rest) >= size + 1 and not b"\r\n".startswith(rest[size : size + 2]) else Incomplete
        body += rest[:size]
        rest = rest[size + 2 :]


def _trailers(rest):
    if rest.startswith(b"\r\n"):
        return rest[2:]
    block, found, after = rest.partition(b"\r\n\r\n")
    if not found:
        raise Incomplete
    fields = [_FIELD.fullmatch(line) for line in block.split(b"\r\n")]
    if None in fields or len(fields) > 100 or any(field[1].lower() in FRAMING for field in fields):
        raise Refused
    return after
