"""The client of a running proxy against scripted peers: its requests, and how it reads the answers."""

import hmac
import json
import socket

import pytest
import trio

from router.net.control.request import ControlError
from router.net.control.signatures import Place, compute_call, compute_proof, hash_body, parse_call, sign_answer
from router.operator_api import endpoints
from router.operator_api.client import Proof, RunningProxy, ask_proof, verify_listener
from router.operator_api.explain import Question
from router.settings import Secret

from ..net.peers import scripted, speaking

TOKEN = Secret("t" * 43)
PROCESS = "p" * 32


@pytest.fixture
def peer():
    """A server whose answers the test scripts."""
    with scripted() as running:
        yield running


def proof(place, token=TOKEN, process=PROCESS):
    """Answers /livez as a proxy that a connection reached at this place."""

    def answer(headers):
        given = compute_proof(token, place, process, headers["x-fairlead-nonce"].encode(), None)
        return 200, {"x-fairlead-proof": given.decode(), "x-fairlead-process": process}, b"{}"

    return answer


def signed(status, body, token=TOKEN):
    """Answers a signed request as a proxy does."""

    def answer(headers):
        call = parse_call(headers["authorization"].encode())
        return status, {"x-fairlead-signature": sign_answer(token, call.signature, status, body)}, body

    return answer


def running(proxy):
    return RunningProxy(proxy.url, TOKEN, PROCESS)


@pytest.fixture
def proxy(peer):
    """A peer that answers as a running proxy, and its URL."""
    peer.url = peer.root.removesuffix("/v1")
    peer.place = Place("127.0.0.1", peer.server_port)
    peer.answers["/livez"] = proof(peer.place)
    status = {
        "schema": 1,
        "version": "0.1.0",
        "pid": 1,
        "url": peer.url,
        "uptime_s": 2.5,
        "more": "later",
        "loaded": True,
        "backends": [
            {
                "name": "groq",
                "protocols": ["chat"],
                "enabled": True,
                "models": 1,
                "problem": None,
                "accounts": [],
                "queue": {"running": 0, "waiting": 0, "limit": 1, "most": 1, "stalled_s": None, "limits": {}},
            }
        ],
        "models": [{"id": "m", "backend": "groq", "protocols": ["chat"]}],
        "problems": [],
        "upstream_connections": {"open": 0, "idle": 0},
        "buffered_bytes": 0,
        "dropped_log_lines": 0,
        "history": {"problem": None, "dropped": 0, "path": "history.db", "elsewhere": None},
        "capture": {"on": False, "folder": "captures", "dropped": 0, "problem": None},
        "guard": {"state": "off"},
        "vitals": {
            "stalled_s": None,
            "waiting": 0,
            "loop_lag_ms": 0.1,
            "worst_loop_lag_ms": 0.2,
            "clock_jumps": 0,
            "network_changes": 0,
            "bounds": {"tasks": {"used": 9, "limit": None}},
        },
    }
    peer.answers["/status"] = signed(200, json.dumps(status).encode())
    return peer


def test_listener_proves_itself_before_it_gets_the_token(proxy):
    """A listener that knows the token is recognised by a fresh nonce; the token is never sent."""
    assert trio.run(verify_listener, proxy.url, TOKEN) is True
    assert trio.run(verify_listener, proxy.url, TOKEN) is True
    nonces = [headers["x-fairlead-nonce"] for _, _, headers, _ in proxy.seen]
    assert len(set(nonces)) == 2
    assert all(TOKEN.reveal() not in str(seen) for seen in proxy.seen)


def test_stranger_gets_no_token(proxy):
    """A listener with another token, without a proof, or without HTTP is rejected and is sent no token."""
    proxy.answers["/livez"] = proof(proxy.place, Secret("u" * 43))
    assert trio.run(verify_listener, proxy.url, TOKEN) is False
    proxy.answers["/livez"] = (200, {}, b"{}")
    assert trio.run(verify_listener, proxy.url, TOKEN) is False
    assert {path for _, path, _, _ in proxy.seen} == {"/livez"}
    with speaking(b"SSH-2.0\r\n") as root:
        assert trio.run(verify_listener, root, TOKEN) is False


@pytest.mark.parametrize(("address", "port"), [("::1", 0), ("127.0.0.1", 1), ("127.0.0.2", 0)])
def test_proof_of_another_place_is_none(proxy, address, port):
    """What a relay gets of the real proxy is for the place where the relay reached it."""
    proxy.answers["/livez"] = proof(Place(address, proxy.server_port + port))
    assert trio.run(ask_proof, proxy.url, TOKEN) == Proof(False)


def test_older_proof_is_told_apart_and_not_enough(proxy):
    """Older versions prove themselves to whoever relays a nonce: the listener may be one of this home or not."""

    def answer(headers):
        digest = hmac.new(TOKEN.reveal().encode(), headers["x-fairlead-nonce"].encode(), "sha256").hexdigest()
        return 200, {"x-fairlead-proof": digest}, b"{}"

    proxy.answers["/livez"] = answer
    assert trio.run(ask_proof, proxy.url, TOKEN) == Proof(False, older=True)
    assert trio.run(verify_listener, proxy.url, TOKEN) is False


def test_nobody_there():
    """No answer is distinguished from a wrong answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert trio.run(verify_listener, url, TOKEN) is None


def test_calls_to_the_running_proxy(proxy):
    """Status, reload and stop are signed, each anew, and hold no token; those that change something are JSON."""
    proxy.answers["/admin/reload"] = signed(200, b'{"backends":[],"problems":[]}')
    proxy.answers["/admin/stop"] = signed(202, b"{}")

    async def talk():
        status = await running(proxy).fetch_status()
        assert (status.version, status.uptime_s, status.backends[0].name) == ("0.1.0", 2.5, "groq")
        assert [(model.id, model.backend, model.protocols) for model in status.models] == [("m", "groq", ["chat"])]
        await running(proxy).reload()
        await running(proxy).stop()

    trio.run(talk)
    calls = [seen for seen in proxy.seen if seen[1] != "/livez"]
    assert [path for _, path, _, _ in calls] == ["/status", "/admin/reload", "/admin/stop"]
    assert TOKEN.reveal() not in str(proxy.seen)
    signatures = set()
    for method, path, headers, body in calls:
        call = parse_call(headers["authorization"].encode())
        assert call.body == hash_body(body)
        assert call.signature == compute_call(TOKEN, proxy.place, PROCESS, method, path.encode(), call)
        signatures.add(call.signature)
    assert len(signatures) == 3
    assert all(headers["content-type"] == "application/json" for method, _, headers, _ in calls if method == "POST")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"nope", b'{"schema":1}'])
def test_status_of_another_form(proxy, body):
    """A status of another form is an error, not a crash."""
    proxy.answers["/status"] = signed(200, body)
    with pytest.raises(ControlError, match="another form than expected"):
        trio.run(running(proxy).fetch_status)


def test_answer_without_a_signature_of_its_own_is_none(proxy):
    """Whoever took the place of the proxy since its proof can give no answer, good or bad, nor change one."""
    body = b'{"backends":[],"problems":[]}'
    answers = [
        (200, {}, body),
        (409, {}, b'{"error":{"message":"config is broken"}}'),
        signed(200, body, Secret("u" * 43)),
        lambda headers: (200, signed(202, body)(headers)[1], body),
        lambda headers: (200, signed(200, b"{}")(headers)[1], body),
    ]
    for answer in answers:
        proxy.answers["/admin/reload"] = answer
        with pytest.raises(ControlError, match="is not signed by the proxy of this home"):
            trio.run(running(proxy).reload)


def test_refused_order(proxy):
    """A request that the proxy refuses is an error with the proxy's message."""
    proxy.answers["/admin/reload"] = signed(409, b'{"error":{"message":"config is broken"}}')
    with pytest.raises(ControlError, match="config is broken"):
        trio.run(running(proxy).reload)


def test_names_are_quoted_in_the_path(proxy):
    """A name cannot change the path, and a body is sent in the form of its struct."""
    proxy.answers["/admin/history/a%2Fb%3F"] = signed(404, b'{"error":{"message":"none of that id"}}')
    proxy.answers["/admin/explain"] = signed(200, b'{"model":"m","backend":"groq"}')

    async def talk():
        with pytest.raises(ControlError, match="none of that id"):
            await running(proxy).call(endpoints.REQUEST, id="a/b?")
        found = await running(proxy).explain(Question(body=b"{}"))
        assert (found.model, found.backend) == ("m", "groq")

    trio.run(talk)
    sent = {"model": "", "body": "e30=", "protocol": None, "headers": [], "tokens_in": None, "tokens_out": None}
    assert json.loads(proxy.seen[-1][3]) == sent
