"""Mistakes with addresses and networks, and networks that fail: group D of the table of mistakes.

The commands run for real, and a real proxy answers a tool; all of it on loopback.
"""

import contextlib
import json
import socket
import socketserver
import ssl
import threading

import pytest
import trustme

from ..e2e.processes import Proxy, backend
from ..e2e.samples import CHAT
from ..e2e.upstream import Upstream, hang
from ..e2e.wire import ask
from ..net.peers import scripted
from .mistake import Mistake

PORTAL = b"<html><title>Hotel WiFi login</title></html>"
NGINX = b"<html><head><title>404 Not Found</title></head></html>"
PATH = "/v1/chat/completions"
RESPONSES = "/v1/responses"

MISTAKES = {
    "D1": Mistake("gives a base URL that ends in an endpoint", "must not include", "/chat/completions", ""),
    "D2": Mistake("gives a base URL of another form", "", "--base-url", ""),
    "D3": Mistake(
        "gives a wrong path", "cannot be found out", "/api/v2", "fairlead backend add a --base-url http://127.0.0.1:"
    ),
    "D4": Mistake(
        "gives https:// for a plain port", "It speaks plain HTTP", "127.0.0.1:", "--base-url http://127.0.0.1:"
    ),
    "D5": Mistake("gives http:// for a TLS port", "It expects TLS", "127.0.0.1:", "--base-url https://127.0.0.1:"),
    "D6": Mistake(
        "gives http:// for a public host", "public", "http://api.example", "--base-url http://api.example/v1 --insecure"
    ),
    "D7": Mistake(
        "asks a port where nobody listens", "refused the connection", "127.0.0.1:", "fairlead backend set a --base-url"
    ),
    "D8": Mistake("has not started Ollama", "refused the connection", "Is Ollama running?", "ollama serve"),
    "D9": Mistake(
        "adds a name that DNS does not know", "could not be resolved", "models.invalid", "set a --base-url URL"
    ),
    "D10": Mistake(
        "asks a backend whose name DNS does not know", "could not be resolved", "models.invalid", "backend set d10"
    ),
    "D11": Mistake(
        "names a dead proxy", "refused the connection", "HTTPS_PROXY", "fairlead config set upstream_proxy off"
    ),
    "D12": Mistake("names a kind of proxy that there is not", "expected", "socks4", "socks5://"),
    "D13": Mistake(
        "asks a server whose CA is not trusted",
        "It is not signed by a trusted CA",
        "127.0.0.1",
        "fairlead config set tls.ca_file FILE",
    ),
    "D14": Mistake(
        "asks a server whose certificate is another host's",
        "Another server than 127.0.0.1",
        "a login page or proxy may be intercepting the connection",
        "the base URL is wrong",
    ),
    "D15": Mistake("names a file of CAs that is not there", "cannot be read", "/nonexistent.pem", "tls.ca_file"),
    "D16": Mistake(
        "is behind a login page",
        "answered 200 with an HTML page (Hotel WiFi login)",
        "Backend d16",
        "a login page or proxy may be intercepting the connection",
    ),
    "D17": Mistake(
        "gives a base URL that redirects", "Redirects are not followed", "elsewhere.example", "fairlead backend set "
    ),
    "D18": Mistake(
        "gives a path that the gateway does not know",
        "answered 404 with an HTML page (404 Not Found)",
        "Backend d18",
        "Is its path right? Change the address: fairlead backend set d18 --base-url",
    ),
    "D19": Mistake(
        "sets a limit that is too short", "did not finish its answer within 0.5 s", "Backend d19", "timeouts.total"
    ),
    "D20": Mistake(
        "asks a backend for what it does not speak", "speaks messages", "ackend d20", "`fairlead models` shows which"
    ),
    "D21": Mistake(
        "goes on from an unknown answer", "previous_response_id", "resp_unknown", "Send the whole conversation"
    ),
    "D22": Mistake(
        "adds an unknown server without its key",
        "asks for a key (401 invalid_api_key)",
        "the protocols that http://127.0.0.1:",
        "fairlead backend add a --base-url",
    ),
}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def tls_of(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def page(status, body, **fields):
    return status, {"content-type": "text/html", **fields}, body


class Plain(socketserver.BaseRequestHandler):
    """Answers what is not HTTP with 400, as most servers do, and a request with 404."""

    def handle(self):
        hello = self.request.recv(65536)
        status = b"400 Bad Request" if hello.startswith(b"\x16") else b"404 Not Found"
        self.request.sendall(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)


@contextlib.contextmanager
def plain_server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


class Site:
    """Servers of every kind, and a proxy with a backend for each of them, named as the mistake is."""

    def __init__(self, folder, stack):
        self.trusted, self.unknown = trustme.CA(), trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.trusted.cert_pem.write_to_path(self.ca_file)
        self.plain = stack.enter_context(plain_server())
        self.silent = stack.enter_context(serving(Upstream()))
        self.silent.default = (hang,)
        self.secure = stack.enter_context(serving(Upstream(tls_of(self.trusted, "127.0.0.1"))))
        self.stranger = stack.enter_context(serving(Upstream(tls_of(self.unknown, "127.0.0.1"))))
        self.other = stack.enter_context(serving(Upstream(tls_of(self.trusted, "other.example"))))
        self.portal, self.redirect, self.nginx = (stack.enter_context(scripted()) for _ in range(3))
        for path in ("/v1/models", PATH):
            self.portal.answers[path] = page(200, PORTAL)
            self.redirect.answers[path] = page(302, b"", location="https://elsewhere.example/")
            self.nginx.answers[path] = page(404, NGINX)
        self.dead = free_port()
        self.environ = {
            "SSL_CERT_FILE": str(self.ca_file),
            "HTTPS_PROXY": f"http://127.0.0.1:{self.dead}",
            "NO_PROXY": "models.invalid",
        }
        roots = {
            "d4": self.plain.replace("http:", "https:"),
            "d5": self.secure.root.replace("https:", "http:"),
            "d7": f"http://127.0.0.1:{self.dead}/v1",
            "d10": "https://models.invalid/v1",
            "d11": "https://api.example/v1",
            "d13": self.stranger.root,
            "d14": self.other.root,
            "d16": self.portal.root,
            "d17": self.redirect.root,
            "d18": self.nginx.root,
            "d19": self.silent.root,
        }
        backends = [backend(name, root, protocols=("chat",)) for name, root in roots.items()]
        backends.append(backend("d8", f"http://127.0.0.1:{self.dead}/v1", protocols=("chat",), vendor="ollama"))
        backends.append(backend("d20", self.silent.root, protocols=("messages",)))
        home = folder / "home"
        home.mkdir(mode=0o700)
        config = home / "config.toml"
        config.touch(mode=0o600)
        config.write_text('[backends.d19]\ntimeouts.total = "500ms"\n')
        self.proxy = stack.enter_context(Proxy(folder, backends=backends, settings=self.environ))

    def ask(self, name, path=PATH, body=None):
        """What a tool reads that asks this backend."""
        told = ask(self.proxy.port, path, CHAT.body(f"{name}:model-a") if body is None else json.dumps(body).encode())
        assert told.status >= 400
        return told.json()["error"]["message"]


@contextlib.contextmanager
def serving(upstream):
    try:
        yield upstream
    finally:
        upstream.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("site"), stack)


def add(fairlead, url, *options, **environ):
    """`fairlead backend add`, and what it shows."""
    done = fairlead("backend", "add", "a", "--base-url", url, "--no-key", *options, **environ)
    return done.out + done.err


def add_chat(fairlead, url, **environ):
    return add(fairlead, url, "--protocols", "chat", **environ)


def test_d1(fairlead):
    """The endpoint at the end is named."""
    MISTAKES["D1"].check(add(fairlead, "https://api.example/v1/chat/completions"))


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("api.example/v1", "does not begin with https:// or http://"),
        ("https://user:pw@api.example/v1", "holds a user name or password; a key is given apart from the URL"),
        ("https://api.example/v1?key=1", "has a query or fragment; give the URL without it"),
    ],
)
def test_d2(fairlead, url, cause):
    """Each says what is wrong with it; the URL is not repeated, since it may hold a key."""
    said = add(fairlead, url)
    MISTAKES["D2"]._replace(cause=cause).check(said)
    assert url not in said


def test_d3(fairlead, provider):
    """Where the API is was asked of the server, and the command for it is named."""
    provider.needs_key = False
    MISTAKES["D3"].check(add(fairlead, f"{provider.url}/api/v2"))
    said = add_chat(fairlead, f"{provider.url}/api/v2")
    assert f"{provider.url}/api/v2 has no model list and no chat" in said
    assert f"Its API is at {provider.url}/v1:   fairlead backend set a --base-url {provider.url}/v1" in said


def test_d4(fairlead, site):
    """The server was asked in plain HTTP and answered; a tool reads it from the bytes of the handshake."""
    MISTAKES["D4"].check(add_chat(fairlead, site.plain.replace("http:", "https:")))
    told = site.ask("d4")
    assert "Backend d4 could not be reached. TLS with 127.0.0.1 failed" in told
    assert f"fairlead backend set d4 --base-url {site.plain}" in told


def test_d5(fairlead, site):
    """The server was asked in TLS and answered. A tool is asked a question, as a closed connection may mean more."""
    MISTAKES["D5"].check(add_chat(fairlead, site.secure.root.replace("https:", "http:")))
    told = site.ask("d5")
    assert "Backend d5 closed the connection" in told
    assert f"Does it expect TLS? Then use https://: fairlead backend set d5 --base-url {site.secure.root}" in told


def test_d6(fairlead):
    """It is refused, with the reason and both ways out."""
    MISTAKES["D6"].check(add(fairlead, "http://api.example"))


def test_d7(fairlead, site):
    """The address, and how to change it; a tool reads the backend's name as well."""
    MISTAKES["D7"].check(add_chat(fairlead, f"http://127.0.0.1:{site.dead}"))
    assert site.ask("d7") == (
        f"Backend d7 could not be reached. http://127.0.0.1:{site.dead} refused the connection. Is its server running, "
        "and is the port right? Change the address: fairlead backend set d7 --base-url URL"
    )


def test_d8(fairlead, site):
    """A local server that fairlead knows is named, with the command that starts it."""
    done = fairlead("backend", "add", "ollama", "--base-url", f"http://127.0.0.1:{site.dead}")
    MISTAKES["D8"].check(done.out)
    assert "Is Ollama running? Start it:   ollama serve" in done.out
    assert site.ask("d8").endswith("refused the connection. Is Ollama running? Start it: ollama serve")


def test_d9(fairlead):
    """The name, and that it was DNS."""
    said = add_chat(fairlead, "https://models.invalid")
    MISTAKES["D9"].check(said)
    assert "(DNS: " in said


def test_d10(site):
    """The error has the name and the cause, and so has what is recorded of it."""
    told = site.ask("d10")
    MISTAKES["D10"].check(told)
    assert told.startswith("Backend d10 could not be reached. The name models.invalid could not be resolved: ")


def test_d11(fairlead, site):
    """It is the proxy that refused, not the provider, and where the proxy comes from is told."""
    proxy = f"http://127.0.0.1:{site.dead}"
    said = add_chat(fairlead, "https://api.example", HTTPS_PROXY=proxy)
    told = site.ask("d11")
    for shown in (said, told):
        MISTAKES["D11"].check(shown)
        assert f"he proxy {proxy} refused the connection" in shown


def test_d12(fairlead):
    """What is expected is listed."""
    done = fairlead("config", "set", "upstream_proxy", "socks4://127.0.0.1:1080")
    assert done.code == 1
    MISTAKES["D12"].check(done.err)


def test_d13(fairlead, site):
    """The setting for a company's CA is named."""
    MISTAKES["D13"].check(add_chat(fairlead, site.stranger.root))
    MISTAKES["D13"].check(site.ask("d13"))


def test_d14(fairlead, site):
    """A login page or a wrong base URL."""
    MISTAKES["D14"].check(add_chat(fairlead, site.other.root, SSL_CERT_FILE=str(site.ca_file)))
    MISTAKES["D14"].check(site.ask("d14"))


def test_d15(fairlead):
    """It is refused before it is saved: a proxy that runs would go on without it, and the next would not start."""
    done = fairlead("config", "set", "tls.ca_file", "/nonexistent.pem")
    assert done.code == 1
    MISTAKES["D15"].check(done.err)
    assert "nonexistent" not in fairlead("config", "show").out


def test_d16(fairlead, site):
    """The page's title tells which; the command says it of the model list."""
    assert "a login page or proxy may be intercepting the connection" in add_chat(fairlead, site.portal.root)
    MISTAKES["D16"].check(site.ask("d16"))


def test_d17(fairlead, site):
    """The host that it points to is told."""
    MISTAKES["D17"].check(add_chat(fairlead, site.redirect.root))
    MISTAKES["D17"].check(site.ask("d17"))


def test_d18(fairlead, site):
    """A page in place of an error is the gateway's; its path is asked about."""
    assert "has no model list and no chat\n  Is its path right?" in add_chat(fairlead, site.nginx.root)
    MISTAKES["D18"].check(site.ask("d18"))


def test_d19(site):
    """The setting that ended it is named."""
    MISTAKES["D19"].check(site.ask("d19"))


def test_d20(site):
    """What it speaks, and where to look for another."""
    MISTAKES["D20"].check(site.ask("d20", "/v1/embeddings", {"model": "d20:model-a", "input": "hi"}))


def test_d21(site):
    """What to send in its place is told."""
    body = {"model": "d19:model-a", "previous_response_id": "resp_unknown", "input": "hi"}
    MISTAKES["D21"].check(site.ask("d19", RESPONSES, body))


def test_d22(fairlead, provider):
    """It is said that the server wants a key, with the command that gives one; and the same of a key it refused."""
    MISTAKES["D22"].check(add(fairlead, provider.url))
    done = fairlead("backend", "add", "a", "--base-url", provider.url, "--key-stdin", stdin="sk-bad")
    assert "it refused the key (401 invalid_api_key)" in done.err
    assert "--key-stdin" in done.err
