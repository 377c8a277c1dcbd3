"""Which header fields travel, in both directions. Sources: RFC 9110, 7.6.1; product.md 1 and 10."""

from collections.abc import Iterable, Iterator
from typing import Protocol
from urllib.parse import quote

RawHeaders = list[tuple[bytes, bytes]]


class Fields(Protocol):
    """Header fields as h11 gives them: iterated with lower-case names, raw_items with the names as they came."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]: ...

    def raw_items(self) -> RawHeaders:
        """The fields with their names as they came."""
        ...


HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"http2-settings",
    )
)

#: Credentials a caller may send; they go upstream only as the backend's own, or with auth=client.
CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"))

_NEVER_SENT = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"cookie",
    b"cookie2",
    b"proxy-authorization",
    b"forwarded",
    b"via",
    b"x-real-ip",
    b"origin",
    b"referer",
}
_NEVER_SENT_PREFIXES = (b"x-fairlead-", b"x-forwarded-", b"sec-fetch-")

SECURITY: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
]

_NEVER_RELAYED = (
    HOP_BY_HOP
    | {
        b"content-length",
        b"set-cookie",
        b"set-cookie2",
        b"alt-svc",
        b"strict-transport-security",
        b"clear-site-data",
        b"refresh",
    }
    | {name for name, _ in SECURITY}
)
_NEVER_RELAYED_PREFIXES = (b"access-control-", b"x-fairlead-")

# What a Connection field may not take away: without these the message means something else.
_KEPT = frozenset((b"host", b"content-length", b"content-type", b"content-encoding")) | CREDENTIALS


def named_in_connection(value: bytes) -> frozenset[bytes]:
    """The lower-case field names that a Connection field lists, less those it may not remove."""
    names = {part.strip().lower() for part in value.split(b",")}
    return frozenset(names - _KEPT)


def upstream_request(
    headers: Fields,
    *,
    host: bytes,
    drop: frozenset[bytes],
    keep: frozenset[bytes],
    identity: bool,
) -> RawHeaders:
    """The caller's fields as they go upstream: order and spelling kept.

    drop: lower-case names that stop here beside the general ones. keep: credentials that may pass.
    identity: ask for an answer without content coding.
    """
    out: RawHeaders = [(b"Host", host)]
    coded = False
    for (name, value), (spelled, _) in zip(headers, headers.raw_items(), strict=True):
        if name in _NEVER_SENT or name in drop or (name in CREDENTIALS and name not in keep):
            continue
        if name[:2] in (b"x-", b"se") and name.startswith(_NEVER_SENT_PREFIXES):
            continue
        if identity and name == b"accept-encoding":
            value = b"identity"
            coded = True
        out.append((spelled, value))
    if identity and not coded:
        out.append((b"Accept-Encoding", b"identity"))
    return out


def client_response(headers: Fields, *, drop: Iterable[bytes] = ()) -> RawHeaders:
    """An upstream's response fields as they are relayed: order and spelling kept, framing left to the caller."""
    out: RawHeaders = []
    for (name, _), (spelled, value) in zip(headers, headers.raw_items(), strict=True):
        if name in _NEVER_RELAYED or name in drop or name.startswith(_NEVER_RELAYED_PREFIXES):
            continue
        out.append((spelled, value))
    return out


def field(headers: Fields, name: bytes) -> bytes:
    """The first value of a lower-case name, b"" when absent."""
    for key, value in headers:
        if key == name:
            return value
    return b""


def shown(value: str, limit: int = 256) -> bytes:
    """A value for an x-fairlead header: percent-encoded where it is not plain text, cut at `limit` bytes."""
    return quote(value, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")[:limit].encode("ascii")
