"""Local model servers are told from other programs, in a bounded time, and asked without a key."""

import contextlib
import time

import pytest
import trio

from router.net.control.local_servers import PORTS, find_local_servers
from router.net.loopback import has_address

from ... import local_servers
from ...local_servers import OTHERS, RUDE, SERVERS, listening, model_server, serve_answers

#: A busy machine may take long for what takes milliseconds.
PATIENT = 20.0
needs_ipv6 = pytest.mark.skipif(not has_address("::1"), reason="no ::1 here")


def look(ports, *, avoid=(), seconds=PATIENT):
    return trio.run(lambda: find_local_servers(ports, seconds, avoid=avoid))


def test_usual_ports():
    """The ports are those that the servers' documentation names."""
    assert PORTS == {"ollama": 11434, "lmstudio": 1234, "llamacpp": 8080, "vllm": 8000}


def test_each_is_recognised():
    """All at once, each by its own answers, in the order of the table, with the version that it names."""
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(model_server(name))[0] for name in SERVERS}
        found = look(ports)
    assert [(one.name, one.url, one.version) for one in found] == [
        ("ollama", f"http://127.0.0.1:{ports['ollama']}", "0.13.1"),
        ("lmstudio", f"http://127.0.0.1:{ports['lmstudio']}", ""),
        ("llamacpp", f"http://127.0.0.1:{ports['llamacpp']}", "b7000-abc"),
        ("vllm", f"http://127.0.0.1:{ports['vllm']}", "0.14.0"),
    ]
    assert found[0].root == f"http://127.0.0.1:{ports['ollama']}/v1"


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("lmstudio", local_servers.OLD_LMSTUDIO),
        ("llamacpp", local_servers.LOADING_LLAMACPP),
        ("llamacpp", local_servers.KEYED_LLAMACPP),
        ("vllm", local_servers.KEYED_VLLM),
    ],
)
def test_other_forms(name, answers):
    """An older API, a model that is being loaded, a key that is asked for, which is said."""
    keyed = answers in (local_servers.KEYED_LLAMACPP, local_servers.KEYED_VLLM)
    with model_server(name, answers=answers) as (port, _):
        assert [(one.name, one.wants_key) for one in look({name: port})] == [(name, keyed)]


@pytest.mark.parametrize("name", SERVERS)
def test_none_is_taken_for_another(name):
    """On the port of one of them the other three are not named as it."""
    for other in SERVERS:
        if other != name:
            with model_server(other) as (port, _):
                assert look({name: port}) == [], other


@pytest.mark.parametrize("other", OTHERS)
def test_other_programs_are_not_named(other):
    """What holds one of the ports and is none of these servers is taken for none of them."""
    with listening(serve_answers(OTHERS[other], [])) as port:
        assert look(dict.fromkeys(SERVERS, port)) == []


@pytest.mark.parametrize("handle", RUDE)
def test_rude_programs(handle):
    """One that never answers, never ends, closes, or speaks something else costs the time that is allowed, no more, and
    hides no other server."""
    with listening(handle) as port, model_server("ollama") as (good, _):
        began = time.monotonic()
        found = look({"lmstudio": port, "llamacpp": port, "vllm": port, "ollama": good}, seconds=1.0)
        took = time.monotonic() - began
    assert [one.name for one in found] == ["ollama"]
    assert took < PATIENT


def test_all_together_end_in_time():
    """The time holds for all servers together, and for all that each is asked."""
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(listening(local_servers.stay_silent)) for name in SERVERS}
        began = time.monotonic()
        assert look(ports, seconds=0.2) == []
        assert time.monotonic() - began < PATIENT


@needs_ipv6
def test_ipv6_alone():
    """A server that listens on ::1 alone is found there."""
    with model_server("ollama", "::1") as (port, _):
        assert [one.root for one in look({"ollama": port})] == [f"http://[::1]:{port}/v1"]


@needs_ipv6
def test_both_addresses():
    """A server on both loopback addresses is named once, by IPv4."""
    seen = []
    answer = serve_answers(SERVERS["ollama"], seen)
    with listening(answer) as port, listening(answer, "::1", port):
        assert [one.root for one in look({"ollama": port})] == [f"http://127.0.0.1:{port}/v1"]
    assert {head.split("Host: ")[1].split("\r\n")[0] for head in seen} == {f"127.0.0.1:{port}", f"[::1]:{port}"}


def test_avoided_port():
    """A port of fairlead's own is not connected to."""
    with model_server("ollama") as (port, seen):
        assert look({"ollama": port}, avoid=[port]) == []
    assert seen == []


def test_nothing_secret_is_sent(monkeypatch):
    """GET without a key, a cookie or a body, and past every proxy that the environment names."""
    with listening(local_servers.close_at_once) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://user:pw@127.0.0.1:{proxy}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-secret")
        with contextlib.ExitStack() as stack:
            served = {name: stack.enter_context(model_server(name)) for name in SERVERS}
            assert len(look({name: port for name, (port, _) in served.items()})) == len(SERVERS)
    heads = [head.lower() for _, seen in served.values() for head in seen]
    assert heads
    for head in heads:
        assert head.startswith("get /")
        names = {line.split(":")[0] for line in head.split("\r\n")[1:] if line}
        assert names <= {"host", "accept", "accept-encoding", "connection", "user-agent"}
        assert "user-agent: fairlead/" in head


def test_a_version_cannot_control_a_terminal():
    """What a server calls its version is shown as text."""
    answers = {**SERVERS["ollama"], "/api/version": (200, "", b'{"version":"1\\u001b[2J\\u202e' + b"9" * 99 + b'"}')}
    with model_server("ollama", answers=answers) as (port, _):
        [found] = look({"ollama": port})
    assert found.version.startswith("1 [2J9")
    assert len(found.version) <= 40
    assert found.version.isprintable()
