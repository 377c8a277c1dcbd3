"""Which header fields are relayed, in both directions (RFC 9110, 7.6.1).

Towards upstreams no field goes that frames one connection, carries a credential not meant for them, or identifies the
caller. Towards clients none goes that would let an upstream act on fairlead's origin in a browser.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote

from h11._headers import Headers

from router.settings.overriding_names import is_overriding_header
from router.settings.secret_names import is_secret_name

RawHeaders = list[tuple[bytes, bytes]]

#: Fields as h11 stores them: name as it came, lower-case name, value. Its public iteration goes by index (three times
#: the cost), and building a Headers from these skips a second validation of what h11 has parsed itself.
Lines = list[tuple[bytes, bytes, bytes]]


def get_lines(headers: Headers) -> Lines:
    """The fields of a parsed head."""
    return headers._full_items  # pyright: ignore[reportPrivateUsage]


def index_by_name(lines: Lines) -> dict[bytes, bytes]:
    """Lower-case name -> first value."""
    return {name: value for _, name, value in reversed(lines)}


# What readers of HTTP let pass in values and reasons though HTTP does not allow it (RFC 9110, 5.5): all but the tab.
_CONTROLS = bytes((*range(9), *range(10, 32), 127))


def drop_controls(reason: bytes, lines: Lines) -> tuple[bytes, Lines]:
    """A reason phrase without control characters, which would act on the terminal that shows them, and the fields whose
    values have none."""
    # One look at all of a head: none in a thousand has any.
    values = b"".join([line[2] for line in lines]) + reason
    if len(values.translate(None, _CONTROLS)) == len(values):
        return reason, lines
    clean = [line for line in lines if len(line[2].translate(None, _CONTROLS)) == len(line[2])]
    return reason.translate(None, _CONTROLS), clean


def with_field(headers: RawHeaders | Headers, name: bytes, value: bytes) -> RawHeaders | Headers:
    """The fields with one more."""
    if isinstance(headers, Headers):
        return Headers([*get_lines(headers), (name, name, value)])
    return [*headers, (name, value)]


def to_lines(pairs: RawHeaders) -> Lines:
    """Name and value pairs as lines."""
    return [(name, name.lower(), value) for name, value in pairs]


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

_NEVER_SENT = (HOP_BY_HOP | CREDENTIALS) | {
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
    # What a cloud's metadata service asks for before it gives out credentials.
    b"metadata",
    b"metadata-flavor",
    b"x-google-metadata-request",
    # Who is traced, and what their programs tell each other; a host that the user lists gets fairlead's own.
    b"traceparent",
    b"tracestate",
    b"baggage",
}
# sec-: fetch metadata of browsers, and the subprotocols of a websocket, where OpenAI's clients put their key.
_NEVER_SENT_PREFIXES = (b"x-fairlead-", b"x-forwarded-", b"sec-", b"x-aws-ec2-metadata-")
# What proxies, tunnels and sign-on gateways in front of fairlead add about who is behind it.
_CALLER = frozenset(
    (
        *(b"true-client-ip", b"x-client-ip", b"client-ip", b"x-cluster-client-ip", b"fly-client-ip", b"x-remote-ip"),
        *(b"fastly-client-ip", b"cf-connecting-ip", b"cf-connecting-ipv6", b"x-remote-addr", b"remote-addr"),
        *(b"x-forwarded", b"remote-user", b"x-remote-user", b"x-webauth-user", b"x-appengine-user-ip", b"x-auth-user"),
    )
)
_CALLER_PREFIXES = (
    *(b"x-auth-request-", b"cf-access-", b"x-amzn-oidc-", b"x-ms-client-principal", b"x-ms-token-", b"x-goog-iap-"),
    *(b"x-goog-authenticated-user-", b"x-pomerium-", b"tailscale-user-", b"x-ssl-", b"ssl-client-", b"x-client-cert"),
)

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
        # Where a browser reports to about a page's origin.
        b"report-to",
        b"reporting-endpoints",
        b"nel",
    }
    | {name for name, _ in SECURITY}
)
_NEVER_RELAYED_PREFIXES = (b"access-control-", b"x-fairlead-")

# What a Connection field may not remove: without these the message means something else.
_NOT_REMOVABLE = frozenset((b"host", b"content-length", b"content-type", b"content-encoding")) | CREDENTIALS


def parse_connection(value: bytes) -> frozenset[bytes]:
    """The lower-case field names that a Connection field lists, less those it may not remove."""
    names = {part.strip().lower() for part in value.split(b",")}
    return frozenset(names - _NOT_REMOVABLE)


# A head has at most 64 KiB, so the cache is bounded in bytes too.
@lru_cache(maxsize=256)
def _is_withheld(name: bytes) -> bool:
    """True for a lower-case name that goes upstream only when it is among `keep`."""
    # A server that hands fields on as variables (CGI, WSGI) takes `_` and `-` for the same.
    name = name.replace(b"_", b"-")
    if name in _NEVER_SENT or name in _CALLER or name.startswith((*_NEVER_SENT_PREFIXES, *_CALLER_PREFIXES)):
        return True
    # Gateways, tunnels and clouds have their own names for a credential, which is not meant for the upstream.
    text = name.decode("latin-1")
    return is_secret_name(text) or is_overriding_header(text)


def filter_request(
    lines: Lines,
    *,
    host: bytes,
    drop: frozenset[bytes],
    keep: frozenset[bytes],
    identity: bool,
) -> Lines:
    """The caller's fields as they go upstream, in their order and spelling.

    drop: lower-case names to leave out beside the general ones. keep: credentials to pass on.
    identity: ask for an answer without content coding.
    """
    out: Lines = [(b"Host", b"host", host)]
    coded = False
    for line in lines:
        name = line[1]
        if _is_withheld(name) or name in drop:
            if name not in keep:
                continue
        elif identity and name == b"accept-encoding":
            if coded:
                continue
            line = (line[0], name, b"identity")
            coded = True
        out.append(line)
    if identity and not coded:
        out.append((b"Accept-Encoding", b"accept-encoding", b"identity"))
    return out


def is_editable(name: bytes) -> bool:
    """True for a lower-case name that a configured edit may set or remove: none that frames the message, describes
    its body, carries a credential, identifies the caller, replaces the method or path, or is fairlead's own."""
    name = name.replace(b"_", b"-")
    described = name in (b"content-type", b"content-encoding", b"accept-encoding")
    framing = name in _NEVER_SENT or name.startswith(_NEVER_SENT_PREFIXES)
    return not (described or framing or is_overriding_header(name.decode("latin-1")))


def apply_changes(lines: Lines, changes: Mapping[bytes, tuple[bytes, bytes, bytes] | None]) -> Lines:
    """The fields with the changes applied: a new line goes where the first of its name was, or to the end; None
    removes all of a name."""
    out: Lines = []
    left = dict(changes)
    for line in lines:
        if line[1] not in changes:
            out.append(line)
        elif (new := left.pop(line[1], None)) is not None:
            out.append(new)
    out.extend(new for new in left.values() if new is not None)
    return out


def filter_response(lines: Lines, *, drop: Iterable[bytes] = ()) -> Lines:
    """An upstream's response fields as they are relayed, in their order and spelling; the caller adds framing."""
    never = _NEVER_RELAYED.union(drop) if drop else _NEVER_RELAYED
    return [line for line in lines if line[1] not in never and not line[1].startswith(_NEVER_RELAYED_PREFIXES)]


def relayed_values(lines: Lines) -> list[bytes]:
    """The values of the fields that `filter_response` may leave."""
    return [line[2] for line in lines if line[1] not in _NEVER_RELAYED]


def encode_value(value: str, limit: int = 256) -> bytes:
    """A value for an x-fairlead header: percent-encoded where it is not plain text, cut at `limit` bytes."""
    return quote(value, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")[:limit].encode("ascii")
