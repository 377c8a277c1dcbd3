"""Keys that a running proxy fetches when a request needs them: by a command, from a file."""

import sys
import threading
import time

import pytest

from ..patience import PATIENCE
from .processes import Proxy, backend, until
from .samples import PROTOCOLS
from .upstream import plain
from .wire import ask

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")

CANARY = "sk-canary-0123456789abcdef"
CHAT = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")


@pytest.fixture
def vault(tmp_path):
    """A folder of commands: each prints what lies beside it and notes its run."""
    return Vault(tmp_path / "vault")


class Vault:
    def __init__(self, folder):
        folder.mkdir(mode=0o700)
        self.folder = folder

    def command(self, name, body=""):
        """A reference to a command."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\necho run >>{path}.runs\n{body or f'cat {path}.key'}\n")
        path.chmod(0o700)
        return f'cmd:["{path}"]'

    def put(self, name, key):
        """What the command prints, and what a file reference reads."""
        path = self.folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_text(key + "\n")
        return f"file:{path}"

    def runs(self, name):
        path = self.folder / f"{name}.runs"
        return len(path.read_text().splitlines()) if path.exists() else 0


def asked(proxy, name, protocol=CHAT, **options):
    """One request to a backend by its prefix."""
    return ask(proxy.port, protocol.path, protocol.body(f"{name}:m", **options))


def sent_keys(upstream):
    return [(seen.field(b"authorization") or seen.field(b"x-api-key") or b"").decode() for seen in upstream.seen]


def test_start_waits_for_no_command(tmp_path, upstream, vault):
    """A proxy listens and serves its other backends while a command hangs, and stops at once with it."""
    upstream.default = (plain(CHAT.whole),)
    slow = backend("slow", upstream.root, auth="key", key=vault.command("slow", "sleep 600"))
    with Proxy(tmp_path, backends=[slow, backend("box", upstream.root)]) as proxy:
        assert asked(proxy, "box").status == 200
        assert until(lambda: vault.runs("slow")) == 1
        began = time.monotonic()
        assert proxy.stop() == 0
        assert time.monotonic() - began < PATIENCE / 2


def test_requests_wait_for_one_run(tmp_path, upstream, vault):
    """Requests that come while the command runs share its key; later ones find it."""
    upstream.default = (plain(CHAT.whole),)
    vault.put("key", CANARY)
    key = vault.command("key", f"sleep 1; cat {vault.folder}/key.key")
    with Proxy(tmp_path, backends=[backend("box", upstream.root, auth="key", key=key)]) as proxy:
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(asked(proxy, "box").status)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        statuses.append(asked(proxy, "box").status)
        assert statuses == [200] * 9
        assert set(sent_keys(upstream)) == {f"Bearer {CANARY}"}
        assert vault.runs("key") == 1


@pytest.mark.parametrize("kind", ["command", "file"])
def test_refused_key_is_fetched_anew(tmp_path, upstream, vault, kind):
    """A key that was fetched and is refused is fetched again; where it is another one, the request is sent with it."""
    reference = vault.put("key", "sk-former-0123456789")
    if kind == "command":
        reference = vault.command("key")
    with Proxy(tmp_path, backends=[backend("box", upstream.root, auth="key", key=reference)]) as proxy:
        upstream.script(plain(CHAT.whole))
        assert asked(proxy, "box").status == 200
        vault.put("key", "sk-newer-0123456789")
        upstream.script(plain(b'{"error":{"message":"no such key"}}', b"401 Unauthorized"))
        upstream.script(plain(CHAT.whole))
        answer = asked(proxy, "box")
        assert (answer.status, answer.field(b"x-fairlead-attempts")) == (200, b"2")
        assert sent_keys(upstream) == ["Bearer sk-former-0123456789"] * 2 + ["Bearer sk-newer-0123456789"]
        upstream.script(plain(b'{"error":{"message":"no such key"}}', b"401 Unauthorized"))
        refused = asked(proxy, "box")
        assert (refused.status, refused.body) == (401, b'{"error":{"message":"no such key"}}')
        assert len(upstream.seen) == 4


def test_a_command_whose_key_is_refused_is_left_alone(tmp_path, upstream, vault):
    """Forty refused requests run it twice, and ask the upstream once each; reports say so; a reload runs it again."""
    vault.put("key", "sk-wrong-0123456789")
    refusal = plain(b'{"error":{"message":"no such key"}}', b"401 Unauthorized")
    upstream.default = (refusal,)
    entry = backend("box", upstream.root, auth="key", key=vault.command("key"))
    with Proxy(tmp_path, backends=[entry]) as proxy:
        assert {asked(proxy, "box").status for _ in range(40)} == {401}
        assert vault.runs("key") <= 3  # one more for the catalog
        assert len([seen for seen in upstream.seen if CHAT.path.encode() in seen.line]) <= 40
        account = ask(proxy.port, "/accounts", None, proxy.operator()).json()["accounts"][0]
        assert "its key was refused and is not fetched anew for" in account["reason"]
        last = ask(proxy.port, "/admin/history/-", None, proxy.operator()).json()["request"]
        assert "is not asked again for" in " ".join(last["notes"])
        before = vault.runs("key")
        vault.put("key", "sk-right-0123456789")
        upstream.default = (plain(CHAT.whole),)
        assert ask(proxy.port, "/admin/reload", b"{}", proxy.operator()).status == 200
        assert asked(proxy, "box").status == 200
        assert vault.runs("key") == before + 1
        account = ask(proxy.port, "/accounts", None, proxy.operator()).json()["accounts"][0]
        assert "not fetched anew" not in account["reason"]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_failing_command_is_told_in_the_caller_s_protocol(tmp_path, upstream, vault, protocol, streamed):
    """401 that names backend and reason, without what the command printed; nothing goes upstream."""
    body = f"echo {CANARY}; echo 'vault is sealed: {CANARY}' >&2; exit 3"
    entry = backend("box", upstream.root, auth="key", key=vault.command("fails", body))
    with Proxy(tmp_path, backends=[entry], settings={"FAIRLEAD_VERBOSE": "2"}) as proxy:
        answer = asked(proxy, "box", protocol, stream=streamed)
        assert answer.status == 401
        message = answer.json()["error"]["message"]
        assert "The backend box has no usable key: the command" in message
        assert "failed with exit code 3: vault is sealed: [redacted]" in message
        assert answer.field(b"x-should-retry") == b"false"
        status = ask(proxy.port, "/status", None, proxy.operator())
        assert "exit code 3" in status.json()["backends"][0]["problem"]
        assert proxy.stop() == 0
    assert upstream.seen == []
    assert b"canary" not in answer.body + status.body
    assert "canary" not in proxy.log.read_text()


def test_fetched_key_is_in_no_log_and_no_child(tmp_path, upstream, vault):
    """A key that was fetched is blotted out of the bodies that -vv shows; fairlead's own variables reach no command."""
    vault.put("key", CANARY)
    key = vault.command("key", f"env >{vault.folder}/environment; cat {vault.folder}/key.key")
    settings = {"FAIRLEAD_VERBOSE": "2", "FAIRLEAD_API_KEY": "sk-client-" + "0" * 30, "PASSWORD_STORE_DIR": "/store"}
    with Proxy(tmp_path, backends=[backend("box", upstream.root, auth="key", key=key)], settings=settings) as proxy:
        upstream.script(plain(CHAT.whole))
        assert asked(proxy, "box").status == 200
        upstream.script(plain(b'{"error":{"message":"the key %b is no good"}}' % CANARY.encode(), b"400 Bad Request"))
        assert asked(proxy, "box").status == 400
        assert proxy.stop() == 0
    said = proxy.log.read_text()
    assert "is no good" in said
    assert "canary" not in said
    environment = (vault.folder / "environment").read_text()
    assert "PASSWORD_STORE_DIR=/store" in environment
    assert "FAIRLEAD" not in environment


def test_client_that_leaves_while_waiting(tmp_path, upstream, vault):
    """Those who wait may leave; the key is there for the next one."""
    from .wire import Client, request

    upstream.default = (plain(CHAT.whole),)
    vault.put("key", CANARY)
    key = vault.command("key", f"sleep 1; cat {vault.folder}/key.key")
    with Proxy(tmp_path, backends=[backend("box", upstream.root, auth="key", key=key)]) as proxy:
        with Client(proxy.port) as client:
            client.send(request(CHAT.path, CHAT.body("box:m")))
            assert until(lambda: vault.runs("key"))
        assert asked(proxy, "box").status == 200
        assert vault.runs("key") == 1
        assert len(upstream.seen) == 1
