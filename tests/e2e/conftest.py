"""Proxies and scripted upstreams that the end-to-end tests share; each test begins with an empty script."""

import socket
import ssl

import pytest
import trustme

from router.net.server.connection_table import CONNECTION_LIMIT

from .caching import ON, PRICES
from .granted import Granted, configured
from .processes import Proxy, backend, until
from .sites import Site
from .upstream import Upstream

UPSTREAM_KEY = "sk-upstream-0123456789"
ORIGIN = "https://app.example"
CLIENT_KEY = "client-key-0123456789-0123456789-01"


@pytest.fixture
def descriptors():
    """Enough of them for both ends of as many connections as the proxy takes: without them a test waits for ever."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTION_LIMIT
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("this system gives a process too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="session")
def listening():
    up = Upstream()
    yield up
    up.stop()


@pytest.fixture
def up():
    """A scripted upstream of its own."""
    listening = Upstream()
    yield listening
    listening.stop()


@pytest.fixture
def upstream(listening):
    """The scripted upstream behind every backend of `fairlead` and `hasty`."""
    listening.clear()
    return listening


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A proxy with nothing but the demo models."""
    with Proxy(tmp_path_factory.mktemp("demo")) as proxy:
        yield proxy


# Those that list models; the caller's own credential cannot be used to read a catalog.
LISTING = ("box", "oai", "picky", "anth")


def on_upstream(root, *, first="box"):
    """One scripted upstream under several names: what differs is what the proxy knows of the backend.

    All list the same models; the first one is asked when no name is given.
    """
    backends = [
        backend("box", root),
        backend("oai", root, vendor="openai", auth="key", key=UPSTREAM_KEY),
        backend("picky", root, vendor="openai", auth="key", key=UPSTREAM_KEY),
        backend("anth", root, protocols=("messages",), vendor="anthropic", auth="key", key=UPSTREAM_KEY),
        backend("own", root, auth="client"),
    ]
    return [entry | {"added": int(entry["name"] != first)} for entry in backends]


@pytest.fixture(scope="session")
def fairlead(tmp_path_factory, listening):
    """A proxy with backends of every kind, all of them the scripted upstream."""
    folder = tmp_path_factory.mktemp("fairlead")
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box"}
    with Proxy(folder, backends=on_upstream(listening.root), settings=settings) as proxy:
        proxy.settled(*LISTING)
        yield proxy


@pytest.fixture(scope="session")
def keyed(tmp_path_factory, listening):
    """A proxy that asks its clients for a key."""
    settings = {
        "FAIRLEAD_DEFAULT_BACKEND": "box",
        "FAIRLEAD_API_KEY": CLIENT_KEY,
        "FAIRLEAD_REQUIRE_KEY": "on",
        "FAIRLEAD_CORS_ORIGIN": ORIGIN,
    }
    backends = on_upstream(listening.root, first="anth")
    with Proxy(tmp_path_factory.mktemp("keyed"), backends=backends, settings=settings) as proxy:
        proxy.settled(*LISTING)
        yield proxy


class Faulty:
    """Upstreams that cannot be reached, and one over TLS that can."""

    def __init__(self, folder):
        trusted, stranger = trustme.CA(), trustme.CA()
        self.roots = folder / "roots.pem"
        trusted.cert_pem.write_to_path(self.roots)
        self.secure = Upstream(_context(trusted, "127.0.0.1"))
        self.untrusted = Upstream(_context(stranger, "127.0.0.1"))
        self.misnamed = Upstream(_context(trusted, "other.example"))
        # Bound and not listening: nobody else can take the port meanwhile.
        self.refusing = socket.socket()
        self.refusing.bind(("127.0.0.1", 0))
        # Its one place is taken, so that a further connection is never answered.
        self.silent = socket.create_server(("127.0.0.1", 0))

    def backends(self):
        """All of them as backends."""
        refused, silent = (sock.getsockname()[1] for sock in (self.refusing, self.silent))
        return [
            backend("secure", self.secure.root),
            backend("untrusted", self.untrusted.root),
            backend("misnamed", self.misnamed.root),
            backend("refused", f"http://127.0.0.1:{refused}/v1"),
            backend("nowhere", "https://api.nowhere.invalid/v1"),
            backend("silent", f"https://127.0.0.1:{silent}/v1"),
        ]

    def close(self):
        for up in (self.secure, self.untrusted, self.misnamed):
            up.stop()
        self.refusing.close()
        self.silent.close()


def _context(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    upstreams = Faulty(tmp_path_factory.mktemp("faulty"))
    yield upstreams
    upstreams.close()


@pytest.fixture(scope="session")
def hasty(tmp_path_factory, listening, faulty):
    """A proxy with short deadlines, and with backends that cannot be reached."""
    settings = {
        "SSL_CERT_FILE": str(faulty.roots),
        "FAIRLEAD_DEFAULT_BACKEND": "box",
        "FAIRLEAD_TIMEOUTS_CONNECT": "600ms",
        "FAIRLEAD_TIMEOUTS_FIRST_BYTE": "400ms",
        "FAIRLEAD_TIMEOUTS_IDLE": "500ms",
        "FAIRLEAD_TIMEOUTS_TOTAL": "1200ms",
    }
    backends = [*on_upstream(listening.root), *faulty.backends()]
    with Proxy(tmp_path_factory.mktemp("hasty"), backends=backends, settings=settings) as proxy:
        proxy.settled(*LISTING)
        yield proxy


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(tmp_path_factory.mktemp("site"))
    yield found
    found.stop()


@pytest.fixture
def cached(tmp_path, up):
    """Starts a proxy that keeps answers, in front of one upstream; it can be started anew."""
    found = []

    def start(text=ON + PRICES, **options):
        configured(tmp_path, text)
        found.append(Granted(tmp_path, up, **options))
        assert until(lambda: not found[-1].serving.runtime.catalogs.loading)
        return found[-1]

    yield start
    for proxy in found:
        if proxy._thread.is_alive():
            proxy.__exit__()
