"""Upstreams behind a proxy: HTTP CONNECT and SOCKS5 over real sockets, names resolved there, its errors its own."""

import base64
import contextlib
import socket
import ssl
import threading

import pytest
import trustme

from ..patience import PATIENCE
from .processes import Proxy, backend, until
from .samples import CHAT, refused
from .upstream import Upstream, keep, plain, stream
from .wire import JSON, ask, recv_until

LOGIN = "me:s3cret-word"
BASIC = b"Basic " + base64.b64encode(LOGIN.encode())


class Forward:
    """A proxy that leads every name to one port. asked: (host, port) of each tunnel. refuse: what it answers then."""

    def __init__(self, port, *, context=None, login=None):
        self.asked = []
        self.refuse = None
        self._to = port
        self._context = context
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            if self._context is not None:
                sock = stack.enter_context(self._context.wrap_socket(sock, server_side=True))
            first = sock.recv(1, 0 if self._context else socket.MSG_PEEK)
            opened = self._socks(sock) if first == b"\x05" else self._http(sock, first if self._context else b"")
            if opened:
                with socket.create_connection(("127.0.0.1", self._to)) as far:
                    pair = threading.Thread(target=copied, args=(far, sock), daemon=True)
                    pair.start()
                    copied(sock, far)
                    pair.join(PATIENCE)

    def _http(self, sock, first):
        head, _ = recv_until(sock, first, b"\r\n\r\n")
        if head is None or not head.startswith(b"CONNECT "):
            return False
        host, _, port = head.split()[1].decode().rpartition(":")
        self.asked.append((host, int(port)))
        if self._login and b"Proxy-Authorization: " + BASIC not in head:
            sock.sendall(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
        elif self.refuse:
            sock.sendall(self.refuse)
        else:
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            return True
        return False

    def _socks(self, sock):
        methods = exactly(sock, exactly(sock, 2)[1])
        sock.sendall(b"\x05\x02" if self._login else b"\x05\x00")
        if self._login:
            assert 2 in methods
            exactly(sock, 1)
            given = [exactly(sock, exactly(sock, 1)[0]).decode() for _ in range(2)]
            sock.sendall(b"\x01\x00" if ":".join(given) == LOGIN else b"\x01\x01")
        assert exactly(sock, 4) == b"\x05\x01\x00\x03", "a name goes to the proxy as a name"
        host = exactly(sock, exactly(sock, 1)[0]).decode()
        self.asked.append((host, int.from_bytes(exactly(sock, 2))))
        sock.sendall(self.refuse or b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        return not self.refuse


def exactly(sock, size):
    found = b""
    while len(found) < size:
        data = sock.recv(size - len(found))
        if not data:
            raise OSError
        found += data
    return found


def copied(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


class Site:
    """Upstreams for names that exist nowhere, and proxies of each kind that lead to them."""

    def __init__(self, folder):
        authority, self.company = trustme.CA(), trustme.CA()
        self.roots, self.company_roots = folder / "roots.pem", folder / "company.pem"
        authority.cert_pem.write_to_path(self.roots)
        self.company.cert_pem.write_to_path(self.company_roots)
        self.secure = Upstream(served(authority, "api.up.example"))
        self.inspected = Upstream(served(self.company, "api.up.example"))
        self.plain = Upstream()
        certificate = served(authority, "127.0.0.1")
        port = self.secure.port
        self.http = Forward(port)
        self.closed = Forward(port, login=LOGIN)
        self.tls = Forward(port, context=certificate)
        self.to_plain = Forward(self.plain.port)
        self.inspecting = Forward(self.inspected.port)

    def ups(self):
        return (self.secure, self.inspected, self.plain)

    def close(self):
        for forward in (self.http, self.closed, self.tls, self.to_plain, self.inspecting):
            forward.close()
        for up in self.ups():
            up.stop()


def served(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(tmp_path_factory.mktemp("site"))
    yield found
    found.close()


@pytest.fixture
def behind(tmp_path, site):
    """Starts a proxy whose upstreams are behind that address."""
    for up in site.ups():
        up.clear()
    for forward in (site.http, site.closed, site.tls, site.to_plain, site.inspecting):
        forward.asked.clear()
        forward.refuse = None
    with contextlib.ExitStack() as stack:

        def start(address=None, **variables):
            roots = [
                backend("far", "https://api.up.example/v1"),
                backend("lan", "http://models.up.example:8080/v1") | {"insecure_http": True},
                backend("near", site.plain.root),
            ]
            settings = {"SSL_CERT_FILE": str(site.roots), **variables}
            if address is not None:
                settings["FAIRLEAD_UPSTREAM_PROXY"] = address
            return stack.enter_context(Proxy(tmp_path, backends=roots, settings=settings))

        yield start


def asked(proxy, name="far", **options):
    return ask(proxy.port, CHAT.path, CHAT.body(f"{name}:model-a", **options))


KINDS = {
    "http": lambda site: f"http://127.0.0.1:{site.http.port}",
    "http with a login": lambda site: f"http://{LOGIN}@127.0.0.1:{site.closed.port}",
    "https": lambda site: f"https://127.0.0.1:{site.tls.port}",
    "socks5": lambda site: f"socks5://127.0.0.1:{site.http.port}",
    "socks5 with a login": lambda site: f"socks5://{LOGIN}@127.0.0.1:{site.closed.port}",
}


@pytest.mark.parametrize("kind", KINDS)
def test_requests_and_catalogs_go_through_the_proxy(behind, site, kind):
    """Plain answers and streams over one kept tunnel, catalogs too; the name is resolved by the proxy alone."""
    proxy = behind(KINDS[kind](site))
    proxy.settled("far")

    def send():
        assert asked(proxy).body == CHAT.whole

    number = keep(site.secure, send, plain(CHAT.whole))
    site.secure.script(stream(CHAT.events))
    answer = asked(proxy, stream=True)
    assert (answer.status, answer.whole) == (200, True)
    assert [one.connection for one in site.secure.seen] == [number]
    forwards = (site.http, site.closed, site.tls)
    assert ("api.up.example", 443) in [one for forward in forwards for one in forward.asked]
    # This machine is reached past it.
    site.plain.script(plain(CHAT.whole))
    assert asked(proxy, "near").body == CHAT.whole
    assert "s3cret-word" not in proxy.said() + str(proxy.status())


def test_plain_http_goes_through_a_tunnel_too(behind, site):
    """CONNECT for http:// upstreams: what is said to them is no business of the proxy's."""
    proxy = behind(f"http://127.0.0.1:{site.to_plain.port}")
    site.plain.script(plain(CHAT.whole))
    assert asked(proxy, "lan").body == CHAT.whole
    assert ("models.up.example", 8080) in site.to_plain.asked
    assert site.plain.seen[0].line.startswith(b"POST /v1/chat")


def test_the_environment_names_the_proxy(behind, site):
    """HTTPS_PROXY where nothing is set; NO_PROXY goes past it."""
    proxy = behind(HTTPS_PROXY=f"http://127.0.0.1:{site.http.port}", NO_PROXY="models.up.example")
    site.secure.script(plain(CHAT.whole))
    assert asked(proxy).body == CHAT.whole
    refused(CHAT, asked(proxy, "lan"), 502, "models.up.example could not be resolved")


REFUSALS = {
    "407": (b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", "asks for a login (407)"),
    "403": (b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope", "does not allow connections"),
    "502": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "could not reach api.up.example:443 (502)"),
    "hangs up": (b" ", "did not answer in HTTP"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_proxy_that_refuses_is_named(behind, site, name):
    """In the answer, and where the catalog's problem is shown."""
    site.http.refuse, said = REFUSALS[name]
    proxy = behind(f"http://127.0.0.1:{site.http.port}")
    words = ("proxy", f"http://127.0.0.1:{site.http.port}")
    refused(CHAT, asked(proxy), 502, *words, *([said] if name != "hangs up" else []))

    def problem():
        return next(one["problem"] for one in proxy.status()["backends"] if one["name"] == "far")

    assert until(problem)
    if name != "hangs up":
        assert all(word in problem() for word in words), problem()


def test_a_proxy_that_is_not_there_is_named(behind):
    """Refused by the proxy's port, not by the upstream."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        refused(CHAT, asked(behind(address)), 502, f"The proxy {address} refused the connection")


def reload(proxy, text):
    (proxy.home / "config.toml").write_text(text)
    (proxy.home / "config.toml").chmod(0o600)
    assert ask(proxy.port, "/admin/reload", b"{}", JSON, proxy.operator()).status == 200


def test_a_reload_takes_another_proxy(behind, site):
    """The connections through the old one are closed, and not used again."""
    proxy = behind()
    reload(proxy, f'upstream_proxy = "http://127.0.0.1:{site.http.port}"\n')
    site.secure.script(plain(CHAT.whole))
    assert asked(proxy).body == CHAT.whole
    assert site.http.asked
    reload(proxy, f'upstream_proxy = "https://127.0.0.1:{site.tls.port}"\n')
    before = len(site.tls.asked)
    site.secure.script(plain(CHAT.whole))
    assert asked(proxy).body == CHAT.whole
    assert len(site.tls.asked) > before
    reload(proxy, 'upstream_proxy = "socks4://127.0.0.1:1"\n')
    assert any("upstream_proxy" in problem for problem in proxy.status()["problems"])
    site.secure.script(plain(CHAT.whole))
    assert asked(proxy).body == CHAT.whole


def test_a_company_that_inspects_tls(behind, site):
    """An unknown root is named with the setting that adds it; a reload takes it, catalogs included."""
    proxy = behind(f"http://127.0.0.1:{site.inspecting.port}")
    refused(CHAT, asked(proxy), 502, "certificate was not accepted", "fairlead config set tls.ca_file FILE")
    assert not site.inspected.seen
    reload(proxy, f'tls.ca_file = "{site.company_roots}"\n')
    site.inspected.script(plain(CHAT.whole))
    assert asked(proxy).body == CHAT.whole
    reload(proxy, f'tls.ca_file = "{site.company_roots}.missing"\n')
    assert any("company.pem.missing, which cannot be read" in problem for problem in proxy.status()["problems"])
    reload(proxy, "")
    refused(CHAT, asked(proxy), 502, "certificate was not accepted")


def test_roots_that_change_are_taken_up(behind, site, tmp_path):
    """A company's roots whose file is made later, or that are replaced in it, hold without a command."""
    roots = tmp_path / "roots.pem"
    proxy = behind(f"http://127.0.0.1:{site.inspecting.port}")
    reload(proxy, f'tls.ca_file = "{roots}"\n')
    assert proxy.status()["problems"]
    trustme.CA().cert_pem.write_to_path(roots)
    assert until(lambda: not proxy.status()["problems"])
    refused(CHAT, asked(proxy), 502, "certificate was not accepted")
    site.company.cert_pem.write_to_path(roots)
    site.inspected.default = (plain(CHAT.whole),)
    assert until(lambda: asked(proxy).status == 200)
