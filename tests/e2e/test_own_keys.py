"""fairlead's own secrets where a backend's key is expected: no upstream gets one."""

import json
import sys

import pytest

from .processes import Proxy, backend, until
from .samples import PROTOCOLS
from .upstream import plain
from .wire import ask

CHAT = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")
CLIENT, OPERATOR, CHOSEN = f"fl-{'c' * 43}", f"fl-{'o' * 43}", "chosen-by-the-user-0123456789"
OTHER_HOME = f"fl-{'x' * 43}"


@pytest.fixture
def home(tmp_path):
    """A home that has a client key and an operator token."""
    (tmp_path / "home").mkdir(mode=0o700)
    for name, token in (("client.key", CLIENT), ("operator.token", OPERATOR)):
        path = tmp_path / "home" / name
        path.touch(mode=0o600)
        path.write_text(token + "\n")
    return tmp_path


def secret_file(folder, name, text):
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


def asked(proxy, name):
    """The error that a request to this backend gets."""
    answer = ask(proxy.port, CHAT.path, CHAT.body(f"{name}:m"), (b"Authorization", f"Bearer {CHOSEN}".encode()))
    return answer.status, json.loads(answer.body)["error"]["message"]


def test_no_upstream_gets_one(home, upstream):
    """Stored, in a variable, in a file or from a command: the request is refused with the cause and the command that
    helps, and nothing is sent, not even to read the list of models; other accounts and backends serve."""
    upstream.default = (plain(CHAT.whole),)
    keys = {
        "variable": ("env:ANTHROPIC_API_KEY", "$ANTHROPIC_API_KEY holds fairlead's own client key: it was overwritten"),
        "placeholder": ("env:OPENAI_API_KEY", "placeholder for a key: it was overwritten by `fairlead env`."),
        "other": ("env:OTHER", "$OTHER holds fairlead's own client key."),
        "stored": (OPERATOR, "the stored key is fairlead's operator token."),
        "file": (
            f"file:{secret_file(home, 'key', CLIENT)}",
            "is fairlead's own client key. Correct what gives the key, then try it: fairlead backend test",
        ),
    }
    if sys.platform != "win32":
        keys["command"] = (f'cmd:["cat", "{home}/home/client.key"]', "the key from command cat is fairlead's own")
    listed = [backend(name, upstream.root, auth="key", key=key) for name, (key, _) in keys.items()]
    both = backend("both", upstream.root, auth="key", key="env:ANTHROPIC_API_KEY")
    both["accounts"].append({"alias": "more", "key": "sk-good"})
    environ = {
        "ANTHROPIC_API_KEY": CLIENT,
        "OPENAI_API_KEY": "fairlead",
        "OTHER": CHOSEN,
        "FAIRLEAD_API_KEY": CHOSEN,
        "FAIRLEAD_REQUIRE_KEY": "on",
    }
    with Proxy(home, backends=[*listed, both], settings=environ) as proxy:
        for name, (_, cause) in keys.items():
            status, message = asked(proxy, name)
            assert (status, cause in message) == (401, True), message
            assert CLIENT not in message
        assert "store it: fairlead backend add variable --key-stdin" in asked(proxy, "variable")[1]
        answer = ask(proxy.port, CHAT.path, CHAT.body("both:m"), (b"Authorization", f"Bearer {CHOSEN}".encode()))
        assert answer.status == 200
    sent = {seen.field(b"authorization") or seen.field(b"x-api-key") for seen in upstream.seen}
    assert sent <= {b"Bearer sk-good", b"sk-good"}


def test_the_key_of_another_fairlead(home, upstream):
    """It is a backend's key like any other, but not in a variable that `fairlead env` sets."""
    upstream.default = (plain(CHAT.whole),)
    both = [
        backend("office", upstream.root, auth="key", key="env:OFFICE_KEY"),
        backend("openai", upstream.root, auth="key", key="env:OPENAI_API_KEY"),
    ]
    with Proxy(home, backends=both, settings={"OPENAI_API_KEY": OTHER_HOME, "OFFICE_KEY": OTHER_HOME}) as proxy:
        assert "$OPENAI_API_KEY holds a client key of fairlead" in asked(proxy, "openai")[1]
        assert ask(proxy.port, CHAT.path, CHAT.body("office:m")).status == 200
    assert {seen.field(b"authorization") for seen in upstream.seen} == {f"Bearer {OTHER_HOME}".encode()}


def test_a_reload_learns_of_a_new_one(home, upstream):
    """A client key that is chosen while the proxy runs is refused from then on."""
    upstream.default = (plain(CHAT.whole),)
    with Proxy(home, backends=[backend("box", upstream.root, auth="key", key="sk-was-good-0123456789")]) as proxy:
        assert ask(proxy.port, CHAT.path, CHAT.body("box:m")).status == 200
        secret_file(proxy.home, "config.toml", 'api_key = "sk-was-good-0123456789"')
        assert until(lambda: ask(proxy.port, CHAT.path, CHAT.body("box:m")).status == 401)
        before = len(upstream.seen)
        assert ask(proxy.port, CHAT.path, CHAT.body("box:m")).status == 401
        assert len(upstream.seen) == before
