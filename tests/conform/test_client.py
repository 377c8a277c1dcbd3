"""The client of probes: what it sends, and what it makes of answers that never end, are too large or are none."""

import gzip
import time

import pytest
import trio

from router import __version__
from router.conform.client import BODY_LIMIT, Client
from router.net.client.outbound import DIRECT
from router.settings import Settings
from router.store.keys.own_keys import OwnKeys
from router.upstream.credentials import Credentials
from router.upstream.targets import targets_of

from ..local_servers import listening, send_slowly, send_without_end, stay_silent
from ..net.peers import scripted
from ..patience import PATIENCE
from ..providers.event_frames import KIND, write_event
from .benches import KEY, make_backend


def send(root, method="GET", path="/x", *, seconds=5.0, headers=None, times=1, vendor="", **options):
    """The last reply to a request that is sent `times` times."""
    target = targets_of(make_backend(root, vendor=vendor), Settings(), Credentials({}, OwnKeys()), DIRECT)[0]
    client = Client(target, headers or {}, seconds=seconds)

    async def run():
        for _ in range(times):
            reply = await client.send(method, path, **options)
        client.close()
        return reply

    return trio.run(run)


def test_what_it_sends():
    """The backend's key, fairlead's own name, the configured headers, and nothing of another client."""
    with scripted() as peer:
        send(peer.root, "POST", body=b"{}", headers={"x-team": "tools"})
    [(method, path, headers, body)] = peer.seen
    assert (method, path, body) == ("POST", "/v1/x", b"{}")
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"] == f"fairlead/{__version__}"
    assert headers["x-team"] == "tools"
    assert set(headers) == {
        *("host", "user-agent", "accept", "accept-encoding", "authorization", "content-type", "content-length"),
        "x-team",
    }


@pytest.mark.parametrize(("key", "sent"), [("other", "Bearer other"), ("", None)])
def test_another_key(key, sent):
    """A probe can send another key in place of the account's, or none; then the account's is not sent."""
    with scripted() as peer:
        send(peer.root, key=key)
    assert peer.seen[0][2].get("authorization") == sent
    assert KEY not in str(peer.seen)


def test_an_answer_that_is_too_large():
    """It is cut at the bound, and told as such; what would follow is not read."""
    with listening(send_without_end) as port:
        reply = send(f"http://127.0.0.1:{port}/v1", seconds=PATIENCE)
    assert reply.problem == f"it sent more than {BODY_LIMIT >> 10} KiB"
    assert len(reply.body) == BODY_LIMIT
    assert not reply.ok


def test_a_small_body_that_grows():
    """The bound holds for what a coded body becomes."""
    bomb = gzip.compress(bytes(BODY_LIMIT * 4))
    with scripted() as peer:
        peer.answers["/v1/x"] = (200, {"content-encoding": "gzip"}, bomb)
        reply = send(peer.root)
    assert reply.problem == f"it sent more than {BODY_LIMIT >> 10} KiB"
    assert not reply.ok


@pytest.mark.parametrize("peer", [stay_silent, send_slowly])
def test_a_backend_that_hangs(peer):
    """A request ends at its time, whether nothing comes or too slowly, and says so."""
    with listening(peer) as port:
        started = time.monotonic()
        reply = send(f"http://127.0.0.1:{port}/v1", seconds=0.3)
    assert reply.late
    assert "within 0.3 s" in reply.problem
    assert time.monotonic() - started < PATIENCE


def test_one_that_cannot_be_reached():
    """The reply has no status, and says what happened."""
    with scripted() as peer:
        root = peer.root
    reply = send(root)
    assert (reply.status, reply.ok, reply.late) == (0, False, False)
    assert "refused the connection" in reply.problem


def test_a_redirect_is_not_followed():
    """No request goes to a place that was not configured."""
    with scripted() as other, scripted() as peer:
        peer.answers["/v1/x"] = (302, {"location": f"{other.root}/x"}, b"")
        reply = send(peer.root)
    assert reply.status == 302
    assert other.seen == []


def test_a_coded_answer_is_read():
    """A body in a coding is decoded, and the coding told."""
    with scripted() as peer:
        peer.answers["/v1/x"] = (200, {"content-encoding": "gzip"}, gzip.compress(b'{"a": 1}'))
        reply = send(peer.root)
    assert (reply.read_json(), reply.coding) == ({"a": 1}, "gzip")


def test_deep_json_is_no_answer():
    """JSON that nests beyond all measure is read as none."""
    with scripted() as peer:
        peer.answers["/v1/x"] = (200, {}, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")
        assert send(peer.root).read_json() == {}


def test_events_have_their_times():
    """Each event of a stream has the time at which it had come whole."""
    body = b'event: a\ndata: {"n":1}\n\ndata: [DONE]\n\n: ping\n\n'
    with scripted() as peer:
        peer.answers["/v1/x"] = (200, {"content-type": "text/event-stream"}, body)
        reply = send(peer.root)
    events = list(reply.iter_events())
    assert [(event.name, event.data) for event in events] == [("a", {"n": 1}), ("", {}), ("", {})]
    assert b"".join(event.raw for event in events) == body
    assert 0 < events[0].at <= events[-1].at <= reply.seconds


@pytest.mark.parametrize("spell", [str, lambda key: key.encode().hex(), lambda key: f"{key}{key}"])
def test_a_repeated_key_is_taken_out(spell):
    """What a backend repeats of the key it was sent is in no reply, so that no cut of it can be shown."""
    with scripted() as peer:
        peer.answers["/v1/x"] = (400, {}, f'{{"error": "{"x" * 4000} {spell(KEY)}"}}'.encode())
        reply = send(peer.root)
    assert KEY[:12].encode() not in reply.body
    assert KEY[:12].encode().hex().encode() not in reply.body
    assert reply.status == 400


@pytest.mark.parametrize("cut", [0, 1])
def test_a_stream_in_other_frames(cut):
    """Its events are read as those of any stream; one that is cut says so."""
    data = write_event(b'{"type":"message_start"}') + write_event(b'{"type":"message_stop"}')
    with scripted() as peer:
        peer.answers["/v1/x"] = (200, {"content-type": KIND}, data[: len(data) - cut])
        reply = send(peer.root, "POST", body=b"{}", protocol="messages", vendor="bedrock-invoke")
    assert (reply.is_stream, reply.framed, reply.coding) == (True, True, "")
    names = [event.name for event in reply.iter_events()]
    assert names == ["message_start", "message_stop"][: 2 - cut]
    assert reply.problem == ("its event stream cannot be read: it ends within an event" if cut else "")
