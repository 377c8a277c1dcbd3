"""Access checks: requests of foreign pages, foreign Host names, clients without the key, operators.

A local port is reachable from every page the user opens and from every program on the machine.
"""

import hmac
import re
from collections.abc import Callable, Iterable

from router.errors import Forbidden, RouterError, Unauthenticated, UnsupportedMedia
from router.host.signed_calls import SignedCalls, check_body
from router.net.control.signatures import ANSWER_HEADER, PROCESS_HEADER, PROOF_HEADER, Place, compute_proof, sign_answer
from router.net.headers import RawHeaders
from router.net.loopback import normalize
from router.net.server.connection import Request
from router.settings import Secret, Settings
from router.settings.kinds import NO_KEY

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1", "host.docker.internal"))
#: What the paths of the local page's files begin with.
PAGE_FILES = "/ui/files/"
# The names of the local page's origin.
_PAGE_HOSTS = _LOOPBACK - {"host.docker.internal"}
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")
_ANY_ADDRESS = ("0.0.0.0", "::", "localhost")  # noqa: S104 - compared with, not bound to
_HOSTS_REMEMBERED = 64
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9.:_\[\]-]{1,100}")
#: Where clients send a key: the first one counts.
KEY_HEADERS = (b"x-fairlead-key", b"x-api-key", b"authorization", b"x-goog-api-key")
_JSON = re.compile(rb"application/(?:[\w.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)


class Gate:
    """The access checks of one proxy. bound: the addresses it listens on. url: where it says that it is reached."""

    def __init__(
        self,
        settings: Settings,
        key: Secret | None,
        operator_token: Secret,
        *,
        metrics_token: Secret | None = None,
        bound: Iterable[str] = (),
        url: str = "http://localhost",
    ):
        self._token = operator_token
        self._signed = SignedCalls(operator_token)
        # A page can make a name lead here, not an address.
        self._bound = {normalize(address) for address in bound} - {*_ANY_ADDRESS}
        self._url = url
        self.apply(settings, key, metrics_token)

    def apply(self, settings: Settings, key: Secret | None, metrics_token: Secret | None = None) -> None:
        """Check by these settings from now on. key: what clients must send, None when they need none. metrics_token:
        what reads /metrics beside the operator token, None for nothing else."""
        own = () if settings.host in _ANY_ADDRESS else (settings.host.strip("[]").lower(),)
        self._hosts = _LOOPBACK | {*own, *self._bound, *settings.allowed_hosts}
        self._cors_origin, self._allowed_hosts = settings.cors_origin, settings.allowed_hosts
        self._origins = frozenset(origin.encode() for origin in settings.cors_origin)
        self._client_key = key
        self._key = key.reveal().encode() if key else None
        self._metrics_token = metrics_token
        known = (key, settings.api_key, self._token, metrics_token)
        #: fairlead's own credentials, which are never sent upstream, whether clients need a key or not.
        self.own = (NO_KEY.encode(), *{one.reveal().encode() for one in known if one is not None})
        self._accepted_hosts: set[bytes] = set()
        # Hosts that are the address at which their connections arrived, each with that.
        self._accepted_addresses: set[tuple[bytes, str]] = set()

    @property
    def asks_key(self) -> bool:
        """True when clients must send a key."""
        return self._key is not None

    def check_browser(self, request: Request, arrived: Callable[[], tuple[str, int]] | None = None) -> None:
        """Refuse requests that a foreign page could send, on every path and verb. arrived: gives the address at which
        the connection arrived, which is served as a Host too. Raises Forbidden."""
        fields = request.fields
        host = fields.get(b"host", b"")
        if host not in self._accepted_hosts:
            self._check_host(host, arrived()[0] if arrived else "")
        origin = fields.get(b"origin")
        if origin is not None and origin.lower() not in self._origins and not _is_own_script(request):
            raise Forbidden(_explain_origin(origin.decode("latin-1"), self._cors_origin))
        site = fields.get(b"sec-fetch-site")
        if site is not None and site not in (b"none", b"same-origin") and origin is None:
            raise Forbidden("Requests from pages of other sites are not allowed (Sec-Fetch-Site).")

    def check_page(self, request: Request) -> None:
        """Refuse what the local page and the address bar do not send, beyond what `check_browser` refuses: an origin,
        also a listed one, and names that may stand for this machine elsewhere. Raises Forbidden."""
        if request.fields.get(b"origin") is not None and not _is_own_script(request):
            raise Forbidden("The local page answers no page of another origin (Origin).")
        if _read_host(request.fields.get(b"host", b"")) not in _PAGE_HOSTS:
            raise Forbidden(f"The local page is served as localhost only. Open it:   fairlead ui ({self._url}/ui).")

    def make_cors_headers(self, request: Request) -> RawHeaders:
        """The fields that let a page of a listed origin read the answer; none for other origins."""
        origin = request.fields.get(b"origin")
        if origin is None or origin.lower() not in self._origins:
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]

    def make_preflight_headers(self, request: Request) -> RawHeaders:
        """The fields of the answer to a preflight request; none for an origin that is not listed."""
        headers = self.make_cors_headers(request)
        if not headers:
            return []
        asked = request.fields.get(b"access-control-request-headers", b"content-type")
        return [
            *headers,
            (b"access-control-allow-methods", b"GET, POST, DELETE"),
            (b"access-control-allow-headers", asked),
            (b"access-control-max-age", b"600"),
        ]

    def _check_host(self, host: bytes, arrived: str) -> None:
        """Refuse a Host that is neither served nor the address at which the request arrived. Accepted ones are
        remembered: their spelling is compared once."""
        if (host, arrived) in self._accepted_addresses:
            return
        name = _read_host(host)
        if name not in self._hosts:
            if _is_address(name, arrived):
                if len(self._accepted_addresses) < _HOSTS_REMEMBERED:
                    self._accepted_addresses.add((host, arrived))
                return
            allow = (
                f", or allow it: fairlead config set allowed_hosts {_list(self._allowed_hosts, name)}" if name else ""
            )
            raise Forbidden(f"The name in the Host header is not served here. Use {self._url}{allow}.")
        if len(self._accepted_hosts) < _HOSTS_REMEMBERED:
            self._accepted_hosts.add(host)

    def check_key(self, request: Request, fault: str = "") -> bool:
        """Refuse a client without fairlead's client key, where one is needed; True for one that has sent it. fault:
        what is wrong with another key that it has sent, which then is refused in any case. Raises Unauthenticated."""
        if self._key is not None:
            for name in KEY_HEADERS:
                value = request.fields.get(name)
                if value is not None and hmac.compare_digest(strip_scheme(value), self._key):
                    return True
        if fault or self._key is not None:
            raise Unauthenticated(fault or _explain_key(_list_keys(request)))
        return False

    def check_operator(self, request: Request, arrived: Place) -> None:
        """Refuse a request that neither holds the home's operator token nor is signed with it. arrived: where. Raises
        Unauthenticated."""
        value = request.fields.get(b"authorization", b"")
        call = self._signed.check(value, arrived, request.method, request.target)
        if call is not None:
            request.signature = call.signature
        elif not hmac.compare_digest(strip_scheme(value), self._token.reveal().encode()):
            raise Unauthenticated(
                "This endpoint needs the operator token of fairlead's home: "
                "`Authorization: Bearer $(cat ~/.fairlead/operator.token)`."
            )

    def check_metrics(self, request: Request, arrived: Place) -> None:
        """As `check_operator`, for what the token for /metrics opens too. Raises Unauthenticated."""
        token = self._metrics_token
        value = strip_scheme(request.fields.get(b"authorization", b""))
        if token is None or not hmac.compare_digest(value, token.reveal().encode()):
            self.check_operator(request, arrived)

    def check_body(self, request: Request, body: bytes) -> None:
        """Refuse a body that is not the one that was signed. Raises Unauthenticated."""
        if request.signature:
            check_body(request.fields.get(b"authorization", b""), body)

    def sign_answer(self, request: Request, status: int, body: bytes) -> RawHeaders:
        """The header that shows the sender of a signed request that this answer is ours; none for other requests."""
        if not request.signature:
            return []
        return [(ANSWER_HEADER.encode(), sign_answer(self._token, request.signature, status, body).encode())]

    def prove(self, nonce: bytes, arrived: Place) -> RawHeaders:
        """The headers that prove to a command that dialled this place that its listener knows the operator token."""
        process = self._signed.process
        proof = compute_proof(self._token, arrived, process, nonce, self._client_key)
        return [(PROOF_HEADER.encode(), proof), (PROCESS_HEADER.encode(), process.encode())]


def _read_host(host: bytes) -> str:
    """The name in a Host header, '' for one that is malformed."""
    match = _HOST.fullmatch(host.decode("ascii", "replace"))
    return (match[1] or match[2]).lower() if match else ""


def _is_address(name: str, arrived: str) -> bool:
    """True for a Host that is the address at which the request arrived, as those of probes and of Prometheus in a
    cluster are: a page can make a name lead here, not an address."""
    return bool(arrived) and normalize(name) == normalize(arrived.removeprefix("::ffff:"))


def _is_own_script(request: Request) -> bool:
    """True for a script that the local page loads: browsers send the page's own origin with those that are modules, and
    with nothing else that is only read. The files are the same for everybody."""
    fields = request.fields
    return (
        request.method == "GET"
        and request.path.startswith(PAGE_FILES)
        and fields.get(b"origin", b"").lower() == b"http://" + fields.get(b"host", b"").lower()
        and fields.get(b"sec-fetch-site", b"same-origin") == b"same-origin"
    )


def has_key(request: Request) -> bool:
    """True for a request with any key."""
    return bool(_list_keys(request))


def _list_keys(request: Request) -> list[str]:
    """The headers in which a key came."""
    values = {name.decode(): request.fields.get(name, b"").strip().lower() for name in KEY_HEADERS}
    return [name for name, value in values.items() if value not in (b"", b"bearer")]


def _explain_origin(origin: str, listed: tuple[str, ...]) -> str:
    """The message for a page's origin that is not listed. Only a well-formed one is repeated, since users paste the
    command into a shell."""
    if not _ORIGIN.fullmatch(origin):
        return "Requests from browser pages without a proper Origin are not allowed (cors_origin)."
    return f"Browser origin {origin} is not allowed. Allow it: fairlead config set cors_origin {_list(listed, origin)}"


def _list(listed: tuple[str, ...], name: str) -> str:
    return ",".join([*listed, name])


def _explain_key(sent: list[str]) -> str:
    """The message for a client without the right key. sent: the headers in which another one came."""
    if not sent:
        return (
            "This fairlead requires a client key. `fairlead env` prints it; send it as a Bearer token, as x-api-key, "
            "x-goog-api-key or x-fairlead-key."
        )
    return (
        f"This fairlead requires its client key; the key in {' and '.join(sent)} is another one. `fairlead env` prints "
        "the right one. A tool that keeps its own login sends it as x-fairlead-key."
    )


def strip_scheme(value: bytes) -> bytes:
    """A credential without a leading `Bearer`."""
    return value[7:].strip() if value[:7].lower() == b"bearer " else value


def check_json(request: Request, *, allow_uploads: bool) -> bool:
    """True for a JSON body, False for a multipart or binary one when uploads are allowed. Raises UnsupportedMedia.

    A page can send text/plain and forms to any host without a preflight request; for JSON the browser sends one first.
    """
    kind = request.fields.get(b"content-type", b"")
    if _JSON.match(kind):
        return True
    if allow_uploads and kind.lower().startswith((b"multipart/form-data", b"application/octet-stream")):
        return False
    raise UnsupportedMedia("Send the body as JSON, with the header content-type: application/json.")


def format_operator_error(error: RouterError) -> dict[str, object]:
    """The JSON of an error on fairlead's own endpoints."""
    return {"error": {"type": error.kind, "message": error.message}}
