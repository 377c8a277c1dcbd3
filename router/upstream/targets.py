"""Backends as an exchange uses them, with all that can be computed before a request comes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from router.backends import Backend, Endpoint
from router.backends.endpoints import PLAIN, find_key_header, list_set_headers
from router.backends.hosts import find_nearness
from router.backends.known import KNOWN, host_of, known
from router.backends.profile import Profile
from router.errors import CommandError, Unauthenticated
from router.net.client.outbound import DIRECT, Outbound
from router.net.client.pool import Origin
from router.net.headers import Lines
from router.policy.routing.table import DEMO
from router.settings import Secret, Settings
from router.settings.profile import override
from router.settings.secret_headers import is_hidden_in_texts
from router.settings.tables import BackendOptions, Edits
from router.store.config.redacted import advise_key
from router.upstream.credentials import Credential, Credentials, auth_header, credentials_of
from router.wire.headers.agent_hints import CLAUDE_CODE_HINTS, CODEX_HINTS
from router.wire.neutral.provider_profiles import find_profile

FAR_SECONDS, NEAR_SECONDS = 300.0, 600.0

_OWN_HEADERS = {entry.name: frozenset(name.encode() for name in entry.own_headers) for entry in KNOWN.values()}
_OWN_PREFIXES = {entry.name: tuple(text.encode() for text in entry.own_prefixes) for entry in KNOWN.values()}
_ALL_OWN_HEADERS = frozenset[bytes]().union(*_OWN_HEADERS.values())
_CALLER_HEADERS = frozenset(name.encode() for entry in KNOWN.values() for name in entry.caller_headers)
_CLAUDE_CODE_HINTS, _CODEX_HINTS = frozenset(CLAUDE_CODE_HINTS), frozenset(CODEX_HINTS)


@dataclass(frozen=True, slots=True)
class Target:
    """One account of a backend as an exchange uses it."""

    backend: Backend
    origin: Origin
    host: bytes
    #: Path of the root, `/v1` included.
    prefix: bytes
    account: str
    #: The header to add, or None.
    auth: tuple[bytes, bytes, bytes] | None = field(repr=False)
    secret: Secret | None
    #: Why its key is not usable, None when it is.
    problem: str | None
    #: Where the key is to be fetched when a request needs it; None when there is nothing to fetch.
    reference: str | None = field(repr=False)
    #: Headers meant for other vendors, or for other kinds of upstreams.
    drop: frozenset[bytes]
    #: How the names of more such headers begin.
    drop_prefixes: tuple[bytes, ...]
    #: Protocol -> how the provider serves it, where that differs from the protocol's own way.
    endpoints: Mapping[str, Endpoint]
    #: Headers that the provider needs with every request.
    set_headers: Lines
    #: Protocol -> the path of its root, where that is not `prefix`.
    prefixes: Mapping[str, bytes]
    #: Protocols in which the key has another header than `auth`.
    other_auth: frozenset[str]
    #: Whether Chat streams are asked for usage.
    stream_usage: bool
    strip_attribution: bool
    #: Whether requests in Messages that have no mark for caches get one.
    cache_marks: bool
    #: Seconds, as the three that follow.
    connect: float
    first_byte: float
    idle: float
    total: float
    ask_identity: bool = True
    #: The edits of the backend's table, if any.
    edits: Edits | None = None
    #: It has no usable key since the issuer of its login has ended that.
    login_ended: bool = False
    #: The profile of the provider as far as it holds for all of its models; it also says how tokens are counted.
    profile: Profile = Profile()

    @property
    def hidden(self) -> list[Secret]:
        """The secrets in its requests, which logs and callers must not see: the key, values of configured headers, and
        the login of the proxy on the way."""
        headers = self.edits.set_headers.items() if self.edits is not None else ()
        found = [Secret(value) for name, value in headers if is_hidden_in_texts(name, value)]
        proxy = self.origin.proxy
        if proxy is not None and proxy.password is not None:
            found += [proxy.password, Secret(f"{proxy.user}:{proxy.password.reveal()}")]
        return found if self.secret is None else [self.secret, *found]

    def endpoint_for(self, protocol: str | None) -> Endpoint:
        """How the provider serves a protocol; None: paths of no protocol."""
        return self.endpoints.get(protocol or "", PLAIN)

    def prefix_for(self, protocol: str | None) -> bytes:
        """The path of the root of a protocol; None: of paths of no protocol."""
        return self.prefixes.get(protocol or "", self.prefix)

    def auth_for(self, protocol: str | None) -> tuple[bytes, bytes, bytes] | None:
        """The header to add to a request in a protocol, or None."""
        return auth_header(self.backend, self.secret, protocol) if protocol in self.other_auth else self.auth

    def check(self) -> None:
        """Raise Unauthenticated when the key is not usable."""
        if self.problem is not None:
            raise self.unusable(self.problem)

    def unusable(self, problem: str) -> Unauthenticated:
        """The error for a backend whose key is not usable."""
        text = f"The backend {self.backend.name} has no usable key: {problem}"
        return Unauthenticated(f"{text} {advise_key(self.backend, self.account)}".rstrip())


def targets_of(backend: Backend, settings: Settings, keys: Credentials, way: Outbound = DIRECT) -> list[Target]:
    """The targets of a backend, one for each account and one at least."""
    credentials = credentials_of(backend, keys)
    target = _make_target(backend, settings, credentials[0], way)
    return [
        replace(
            target,
            account=one.account,
            auth=auth_header(backend, one.secret),
            secret=one.secret,
            problem=one.problem,
            reference=one.reference,
            login_ended=one.login_ended,
        )
        for one in credentials
    ]


async def with_key(target: Target, credentials: Credentials) -> Target:
    """The target with its key; waits while that is fetched. Raises CommandError."""
    if target.problem is not None:
        raise CommandError(target.problem)
    if target.reference is None:
        return target
    secret = await credentials.key(target.reference)
    return replace(target, secret=secret, auth=auth_header(target.backend, secret))


def forget_key(target: Target, credentials: Credentials) -> bool:
    """Forget the key of a target that was refused, so that it is fetched anew; a newer one is kept. Returns True when
    it stays since what gave it is left alone for a while."""
    if target.reference is None or target.secret is None:
        return False
    return credentials.forget(target.reference, target.secret)


def accept_key(target: Target, credentials: Credentials) -> None:
    """Note that the fetched key of a target was accepted."""
    if target.reference is not None and target.secret is not None:
        credentials.accept(target.reference, target.secret)


def _make_target(backend: Backend, settings: Settings, credential: Credential, way: Outbound) -> Target:
    """The target of a credential, by the backend's table in config.toml and what is known of its vendor."""
    url = urlsplit(backend.root)
    scheme = url.scheme
    port = url.port or (443 if scheme == "https" else 80)
    proxy = way.find_proxy(scheme, url.hostname or "", port)
    origin = Origin(scheme, url.hostname or "", port, proxy, link_local=backend.insecure_http)
    host = url.netloc.rpartition("@")[2].encode("idna" if not url.netloc.isascii() else "ascii")
    far = NEAR_SECONDS if _is_near(host_of(backend.root)) else FAR_SECONDS
    vendor = known(backend.vendor)
    options = settings.backends.get(backend.name, BackendOptions())
    probes = _choose_switch(options.usage_probe, settings.usage_probe)
    required, usual = list_set_headers(backend), find_key_header(backend)
    strips = _choose_switch(options.strip_attribution, settings.strip_attribution)
    return Target(
        backend=backend,
        origin=origin,
        host=host,
        prefix=_path_of(backend.root),
        account=credential.account,
        auth=auth_header(backend, credential.secret),
        secret=credential.secret,
        problem=credential.problem,
        reference=credential.reference,
        drop=_find_foreign_headers(backend) | {name.encode() for name in required},
        drop_prefixes=_find_foreign_prefixes(backend),
        endpoints={} if vendor is None else vendor.endpoints,
        set_headers=[(name.encode(), name.encode(), value.encode()) for name, value in required.items()],
        other_auth=frozenset(name for name in backend.protocols if find_key_header(backend, name) != usual),
        prefixes={name: _path_of(root) for name, root in backend.roots.items()},
        stream_usage=probes and (vendor.stream_usage if vendor else backend.name == DEMO),
        strip_attribution=strips and not (vendor is not None and vendor.reads_attribution),
        cache_marks=bool(options.cache_marks),
        connect=options.connect or settings.timeouts_connect,
        first_byte=options.first_byte or settings.timeouts_first_byte or far,
        idle=options.idle or settings.timeouts_idle or far,
        total=options.total or settings.timeouts_total,
        ask_identity=_choose_switch(options.ask_identity, settings.ask_identity),
        edits=None if options.edits == Edits() else options.edits,
        profile=habits_of(backend, options),
    )


def _path_of(root: str) -> bytes:
    return urlsplit(root).path.rstrip("/").encode("ascii")


def habits_of(backend: Backend, options: BackendOptions, model: str = "") -> Profile:
    """The profile of the backend's vendor, with the user's own settings in place of it. model: '' for what holds for
    all models."""
    return override(find_profile(options.translate_as or backend.vendor, model), options.profile)


def _find_foreign_headers(backend: Backend) -> frozenset[bytes]:
    """The headers that are not meant for this backend. What Claude Code tells of its agents is for every upstream of
    its protocol; what Codex tells names the user's folders and repositories too, and is for its own vendor alone. (The
    bodies of its requests repeat it in `client_metadata`, and are passed on as they are.)"""
    found = _ALL_OWN_HEADERS - _OWN_HEADERS.get(backend.vendor, frozenset())
    if backend.auth != "client":
        found |= _CALLER_HEADERS
    if "messages" not in backend.protocols:
        found |= _CLAUDE_CODE_HINTS
    return found if backend.vendor == "openai" else found | _CODEX_HINTS


def _find_foreign_prefixes(backend: Backend) -> tuple[bytes, ...]:
    own = _OWN_PREFIXES.get(backend.vendor, ())
    every = dict.fromkeys(prefix for prefixes in _OWN_PREFIXES.values() for prefix in prefixes)
    return tuple(prefix for prefix in every if prefix not in own)


def _choose_switch(own: bool | None, common: bool) -> bool:
    """The backend's own switch where it is set."""
    return common if own is None else own


def _is_near(host: str) -> bool:
    """True for this machine and private networks, where a model may take minutes to read a prompt."""
    return find_nearness(host) != "public" or host.endswith(".internal")
