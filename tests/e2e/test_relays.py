"""Another user's program beside the proxy: what it can listen on, and what commands and tools send to it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from router.net.loopback import has_address

from ..commands import run_in_home
from ..patience import PATIENCE
from .conftest import CLIENT_KEY
from .processes import Proxy
from .relays import Relay
from .wire import ask

pytestmark = pytest.mark.skipif(not has_address("::1"), reason="no IPv6 here")
COMMANDS = (
    ("models", "--json"),
    ("status", "--json"),
    ("accounts", "list"),
    ("explain", "demo"),
    ("env", "--json"),
    ("resume",),
    ("config", "set", "verbose", "1"),
    ("backend", "list"),
    ("why", "-"),
    ("usage",),
)


def command(proxy, *arguments):
    """One command in the proxy's home."""
    return run_in_home(proxy.home, *arguments)


def run_file(proxy, **changed):
    """The proxy's run file, and one more with these changes."""
    path = proxy.home / "run" / f"{proxy.port}.json"
    found = json.loads(path.read_text())
    if changed:
        other = proxy.home / "run" / f"{changed['port']}.json"
        other.touch(mode=0o600)
        other.write_text(json.dumps({**found, "started": found["started"] + 100, **changed}))
    return found


HOSTS = {
    "localhost": "http://localhost:{}",
    "127.0.0.1": "http://127.0.0.1:{}",
    "::1": "http://[::1]:{}",
    "0.0.0.0": "http://127.0.0.1:{}",
    "::": "http://[::1]:{}",
}


@pytest.mark.parametrize("host", HOSTS)
def test_both_loopback_addresses_are_held_and_what_is_bound_is_announced(tmp_path, host):
    """Nobody else can listen where `localhost` may lead; commands use an address, tools the URL of the start."""
    settings = {"FAIRLEAD_HOST": host, "FAIRLEAD_API_KEY": CLIENT_KEY, "FAIRLEAD_REQUIRE_KEY": "auto"}
    with Proxy(tmp_path, settings=settings) as proxy:
        for address in ("127.0.0.1", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with pytest.raises(OSError, match="in use"):
                socket.create_server((address, proxy.port), family=family)
            with socket.create_connection((address, proxy.port), 5):
                pass
        url = HOSTS[host].format(proxy.port)
        assert run_file(proxy)["url"] == url
        assert url in proxy.log.read_text() or proxy.status()["url"] == url
        assert json.loads(command(proxy, "models", "--json").out)["proxy"] == url
        assert json.loads(command(proxy, "env", "--json").out)["ANTHROPIC_BASE_URL"] == url


@pytest.mark.parametrize(("host", "other"), [("localhost", "::1"), ("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_proxy_does_not_serve_beside_a_stranger(tmp_path, host, other):
    """The start is refused; the address and the program are named, and another port."""
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    (tmp_path / "home").mkdir(mode=0o700)
    with socket.create_server((other, 0), family=family) as stranger:
        port = stranger.getsockname()[1]
        code, _, err = run_in_home(tmp_path / "home", "proxy", "--host", host, "--port", str(port))
    said = err.decode()
    assert code == 1
    assert f"port {port} is taken by another program" in said
    assert f"on {other}, where localhost may lead too" in said
    assert f"pid {os.getpid()}" in said or sys.platform != "linux"
    assert "--port " in said


@pytest.mark.parametrize("whole", [False, True])
def test_relay_at_a_stale_run_file_gets_nothing(tmp_path, whole):
    """A run file whose number lives again leads to a program that relays nonces: it gets no token, key or signature."""
    with Proxy(tmp_path, settings={"FAIRLEAD_REQUIRE_KEY": "on"}) as proxy:
        key = (proxy.home / "client.key").read_bytes().strip()
        for literal in (True, False):
            with Relay(("127.0.0.1", proxy.port), whole=whole) as relay:
                found = run_file(proxy)
                url = f"http://127.0.0.1:{relay.port}" if literal else f"http://localhost:{relay.port}"
                run_file(proxy, port=relay.port, url=url, literal_url=url if literal else "")
                for arguments in COMMANDS:
                    done = command(proxy, *arguments)
                    assert f":{relay.port}".encode() not in done.out, arguments
                    assert found["url"].encode() in done.out or arguments[0] not in ("models", "env")
                seen = bytes(relay.seen)
                (proxy.home / "run" / f"{relay.port}.json").unlink()
            assert seen.count(b"GET /livez") >= len(COMMANDS) - 3
            assert b"uthorization" not in seen
            assert key not in seen
            assert proxy.operator()[1].removeprefix(b"Bearer ") not in seen


def test_relay_at_an_ended_proxy_s_port_gets_nothing(tmp_path):
    """Another proxy of the home runs on: the proof that it gives is for its own port."""
    with Proxy(tmp_path) as first:
        kept = run_file(first)
        port = first.port
    with Proxy(tmp_path) as second, Relay(("127.0.0.1", second.port), port=port) as relay:
        run_file(second, port=port, url=kept["url"], literal_url=f"http://127.0.0.1:{port}")
        for arguments in COMMANDS:
            command(second, *arguments)
        assert b"GET /livez" in relay.seen
        assert b"uthorization" not in relay.seen


def test_token_given_by_hand_is_taken(tmp_path):
    """Scripts and scrapers send it as a bearer, as the reference says."""
    with Proxy(tmp_path) as proxy:
        assert ask(proxy.port, "/metrics", None, proxy.operator()).status == 200
        answer = ask(proxy.port, "/admin/reload", b"{}", proxy.operator())
        assert (answer.status, answer.field(b"x-fairlead-signature")) == (200, None)


def test_older_proxy_is_named_and_stopped_by_its_process(tmp_path):
    """One that proves itself as older versions did gets no order: stop ends its process, others say it."""
    script = """
import hashlib, hmac, http.server, os, signal, sys
token = open(sys.argv[1]).read().strip().encode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        assert "authorization" not in self.headers
        proof = hmac.new(token, self.headers.get("x-fairlead-nonce", "").encode(), hashlib.sha256).hexdigest()
        self.send_response(200)
        self.send_header("x-fairlead-proof", proof)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
server.serve_forever()
"""
    with Proxy(tmp_path) as proxy:
        token = proxy.home / "operator.token"
    older = subprocess.Popen([sys.executable, "-c", script, str(token)], stdout=subprocess.PIPE, text=True)
    try:
        port = int(older.stdout.readline())
        run = {"pid": older.pid, "url": f"http://localhost:{port}", "port": port, "version": "0.1.0", "started": 1.0}
        path = proxy.home / "run" / f"{port}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**run, "machine": socket.gethostname()}))
        said = command(proxy, "models").err.decode()
        assert f"the proxy on :{port} (pid {older.pid}) is of an older fairlead" in said
        assert "fairlead stop, then fairlead proxy" in said
        assert "The proxy was not asked; this is what" in said
        assert "No proxy is running" not in said + command(proxy, "explain", "m").err.decode()
        assert b"is of an older fairlead" in command(proxy, "env").err
        said = command(proxy, "status").err.decode()
        assert "no proxy of this home could be asked." in said
        assert "is running" not in said
        said = command(proxy, "proxy", "--port", str(port)).err.decode()
        assert f"port {port} is taken by a proxy of this home that is of an older fairlead (pid {older.pid})." in said
        assert f"fairlead stop --port {port}" in said
        done = command(proxy, "stop")
        assert done.out.decode() == f"Stopped the proxy on :{port}, which was of an older fairlead.\n"
        assert older.wait(PATIENCE) == 7
    finally:
        older.kill()
        older.wait()
        older.stdout.close()
