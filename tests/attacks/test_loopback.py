"""Attacks on who is who on loopback: proofs, signed requests and signed answers.

Each probe is one attack on a real proxy, or on the room that answers it, and says what fairlead does.
"""

import sys
import threading
import time

import pytest
import trio

from router.host import signed_calls
from router.net.control import signatures
from router.net.control.request import ControlError
from router.net.control.signatures import Place, compute_proof
from router.net.loopback import has_address
from router.operator_api.client import RunningProxy, ask_proof
from router.settings import Secret

from ..e2e.processes import Proxy, Threaded
from ..e2e.relays import Relay
from ..e2e.wire import Client, ask, request
from .loopback import Side, between
from .probe import Probe

pytestmark = pytest.mark.skipif(sys.platform == "win32" or not has_address("::1"), reason="POSIX and both families")

PROBES = {
    "nonce with another Host": Probe("/livez with the Host of another port", "the proof is for the port it came to"),
    "nonce on the other family": Probe("the nonce of 127.0.0.1 at [::1]", "a proof that the command refuses"),
    "nonce in the form of a request": Probe("a nonce that spells a request's lines", "a proof that signs no request"),
    "long nonce": Probe("a nonce of 257 bytes, and an empty one", "no proof for the long, no crash"),
    "proof without its process": Probe("a true proof with another process named", "refused by the command"),
    "request sent twice": Probe("the same signed request again", "401, and nothing is done"),
    "request sent at once": Probe("one signed request on 8 connections", "one is served, seven get 401"),
    "other method": Probe("GET signed, DELETE sent", "401"),
    "other query": Probe("/analytics?since=60m signed, 7d sent", "401"),
    "other path": Probe("/status signed, /accounts sent", "401"),
    "other spelling of the path": Probe("/status signed, /%73tatus sent", "404, nothing served"),
    "other body": Probe("each POST with a body that was not signed", "401, and nothing is done"),
    "body in chunks": Probe("the signed body in chunks", "served"),
    "body added to a GET": Probe("a signed GET with a body", "served without reading it"),
    "old request": Probe("signed 61 s ago, or 61 s ahead", "401"),
    "odd time": Probe("signed with time nan, inf, 1e999, empty", "401"),
    "request at the other family": Probe("signed for 127.0.0.1, sent to [::1]", "401"),
    "request for an earlier process": Probe("signed before a restart on the same port", "401"),
    "token of another home": Probe("signed with another token", "401"),
    "scheme in capitals": Probe("FAIRLEAD-HMAC-SHA256", "served"),
    "words missing or added": Probe("three to eight words after the scheme, tabs", "401"),
    "signature in capitals": Probe("the signature in upper case", "401"),
    "signed as a client key": Probe("a signed Authorization on /v1/models", "401, it opens no API"),
    "two credentials": Probe("a wrong bearer first, a signature behind", "401"),
    "signed by a page": Probe("a signed request with a foreign Origin", "403"),
    "full table": Probe("more requests than are remembered", "503, and none is forgotten early"),
    "HTTP/1.0 and HEAD": Probe("signed requests in HTTP/1.0 and HEAD", "served, the answer is signed"),
    "answer changed on its way": Probe("one byte or the status of an answer changed", "the command refuses it"),
    "answer of another request": Probe("the signed answer to an earlier request", "the command refuses it"),
}
CALLS = {
    "/admin/reload": b"{}",
    "/admin/resume": b"{}",
    "/admin/explain": b'{"model":"demo"}',
    "/admin/backends": b'{"name":"evil","base_url":"http://127.0.0.1:1/v1","protocols":["chat"]}',
    "/admin/backends/box": b'{"enabled":false}',
    "/admin/accounts": b'{"backend":"box","alias":"x","key":"sk-x"}',
    "/admin/stop": b"{}",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Proxy(tmp_path_factory.mktemp("loopback"), settings={"FAIRLEAD_REQUIRE_KEY": "on"}) as proxy:
        yield proxy


@pytest.fixture
def side(running):
    return Side(running)


class Runs:
    """What runs each probe: a method named as the probe, with underscores."""

    def __init__(self, side, folder, monkeypatch):
        self.side, self.folder, self.monkeypatch = side, folder, monkeypatch

    # Proofs

    def nonce_with_another_host(self):
        side = self.side
        with Client(side.port) as client:
            fields = ((b"x-fairlead-nonce", b"abc"),)
            client.send(request("/livez", None, *fields, host=b"127.0.0.1:%d" % (side.port + 1)))
            answer = client.answer()
        assert answer.field(b"x-fairlead-proof") == compute_proof(side.token, side.place, side.process, b"abc", None)

    def nonce_on_the_other_family(self):
        side = self.side
        with Relay(("::1", side.port)) as relay:
            assert not trio.run(ask_proof, f"http://127.0.0.1:{relay.port}", side.token).known
        proof = side.prove(b"abc", host="::1").field(b"x-fairlead-proof")
        assert proof == compute_proof(side.token, Place("::1", side.port), side.process, b"abc", None)
        assert proof != compute_proof(side.token, side.place, side.process, b"abc", None)

    def nonce_in_the_form_of_a_request(self):
        side = self.side
        call = side.sign()
        lines = ["fairlead 1", "request", *map(str, side.place), side.process, call.time, call.nonce, "GET", call.body]
        for joint in (" ", "\t", "%0a", "\\n", ""):
            proof = side.prove(joint.join([*lines, "/status"]).encode()).field(b"x-fairlead-proof")
            assert side.status(call._replace(signature=proof.decode())) == 401

    def long_nonce(self):
        assert self.side.prove(b"a" * 257).field(b"x-fairlead-proof") is None
        assert self.side.prove(b"").status == 200
        assert self.side.prove(b"\xff\xfe").status == 200

    def proof_without_its_process(self):
        side = self.side
        answer = side.prove(b"abc")
        for process in ("", "0" * 32, side.process.upper()):
            assert answer.field(b"x-fairlead-proof") != compute_proof(side.token, side.place, process, b"abc", None)

    # Requests

    def request_sent_twice(self):
        call = self.side.sign("POST", "/admin/reload", b"{}")
        assert self.side.status(call, "POST", "/admin/reload", b"{}") == 200
        answer = self.side.send(call, "POST", "/admin/reload", b"{}")
        assert (answer.status, answer.field(b"x-fairlead-signature")) == (401, None)

    def request_sent_at_once(self):
        call, found = self.side.sign(), []
        threads = [threading.Thread(target=lambda: found.append(self.side.status(call))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [200, *[401] * 7]

    def other_method(self):
        target = "/admin/backends/box"
        assert self.side.status(self.side.sign("GET", target), "DELETE", target) == 401
        assert self.side.status(self.side.sign("GET"), "HEAD") == 401

    def other_query(self):
        call = self.side.sign("GET", "/analytics?since=60m")
        for target in ("/analytics?since=7d", "/analytics", "/analytics?since=60m&x=1", "/analytics?since=60m#x"):
            assert self.side.status(call, target=target) in (400, 401)
        assert self.side.status(call, target="/analytics?since=60m") == 200

    def other_path(self):
        assert self.side.status(self.side.sign(), target="/accounts") == 401

    def other_spelling_of_the_path(self):
        assert self.side.status(self.side.sign(), target="/%73tatus") == 404
        assert self.side.status(self.side.sign(), target="//status") in (400, 401, 404)

    def other_body(self):
        side = self.side
        for target, body in CALLS.items():
            for sent in (body + b" ", b"{}" if body != b"{}" else b'{"x":1}'):
                assert side.status(side.sign("POST", target, body), "POST", target, sent) == 401, target
        assert side.status(side.sign()) == 200
        names = side.send(side.sign("GET", "/admin/backends"), target="/admin/backends").json()["backends"]
        assert names == []

    def body_in_chunks(self):
        call = self.side.sign("POST", "/admin/explain", b'{"model":"demo"}')
        with Client(self.side.port) as client:
            fields = ((b"Authorization", call.format().encode()), (b"Transfer-Encoding", b"chunked"))
            head = request("/admin/explain", None, *fields, (b"Content-Type", b"application/json"), method="POST")
            client.send(head + b'4\r\n{"mo\r\nc\r\ndel":"demo"}\r\n0\r\n\r\n')
            assert client.answer().status == 200

    def body_added_to_a_get(self):
        assert self.side.status(self.side.sign(), body=b"{}") == 200

    def old_request(self):
        for seconds in (-61.5, 61.5, -1e9, 1e9):
            assert self.side.status(self.side.at(f"{time.time() + seconds:.3f}")) == 401
        assert self.side.status(self.side.at(f"{time.time() - 50:.3f}")) == 200

    def odd_time(self):
        for moment in ("nan", "inf", "-inf", "1e999", "", "now", "0x1", "9" * 400):
            assert self.side.status(self.side.at(moment)) == 401, moment

    def request_at_the_other_family(self):
        assert self.side.status(self.side.sign(), host="::1") == 401
        call = self.side.sign(place=Place("::1", self.side.port))
        assert self.side.status(call) == 401
        assert self.side.status(call, host="::1") == 200

    def request_for_an_earlier_process(self):
        with Proxy(self.folder) as first:
            earlier = Side(first)
            calls = [earlier.sign() for _ in range(2)]
            assert earlier.status(calls[0]) == 200
        with Proxy(self.folder, "--port", str(first.port)) as second:
            later = Side(second)
            assert (later.token, later.place) == (earlier.token, earlier.place)
            assert [later.status(call) for call in calls] == [401, 401]
            with pytest.raises(ControlError, match="Run the command again"):
                trio.run(RunningProxy(f"http://127.0.0.1:{second.port}", later.token, earlier.process).fetch_status)

    def token_of_another_home(self):
        for token in ("t" * 43, self.side.token.reveal()[:-1], self.side.token.reveal() + " "):
            assert self.side.status(self.side.sign(token=Secret(token))) == 401

    def scheme_in_capitals(self):
        value = self.side.sign().format().replace(signatures.SCHEME, signatures.SCHEME.upper())
        assert self.side.status(value.encode()) == 200

    def words_missing_or_added(self):
        value = self.side.sign().format().encode()
        words = value.split(b" ")
        odd = [b" ".join(words[:count]) for count in range(1, 5)]
        odd += [value + b" x", value + b" a b c", value.replace(b" ", b"\t"), value.replace(b" ", b"  ")]
        for one in odd:
            assert self.side.status(one) == 401, one
        assert self.side.status(value) == 200

    def signature_in_capitals(self):
        call = self.side.sign()
        assert self.side.status(call._replace(signature=call.signature.upper())) in (
            (401,) if call.signature != call.signature.upper() else (200,)
        )
        assert self.side.status(call._replace(signature="")) == 401
        assert self.side.status(call._replace(nonce="\xe9")) == 401

    def signed_as_a_client_key(self):
        assert self.side.status(self.side.sign("GET", "/v1/models"), target="/v1/models") == 401
        with Client(self.side.port) as client:
            client.send(
                request("/v1/models", None, (b"x-fairlead-key", self.side.sign("GET", "/v1/models").format().encode()))
            )
            assert client.answer().status == 401

    def two_credentials(self):
        with Client(self.side.port) as client:
            signed = (b"Authorization", self.side.sign().format().encode())
            client.send(request("/status", None, (b"Authorization", b"Bearer no"), signed))
            assert client.answer().status in (400, 401)

    def signed_by_a_page(self):
        with Client(self.side.port) as client:
            fields = ((b"Authorization", self.side.sign().format().encode()), (b"Origin", b"https://evil.example"))
            client.send(request("/status", None, *fields))
            answer = client.answer()
        assert (answer.status, answer.field(b"x-fairlead-signature")) == (403, None)

    def full_table(self):
        self.monkeypatch.setattr(signed_calls, "REMEMBERED", 5)
        with Threaded(self.folder) as proxy:
            proxy.home = self.folder / "home"
            proxy.operator = lambda: (b"", b"Bearer " + (proxy.home / "operator.token").read_bytes().strip())
            side = Side(proxy)
            calls = [side.sign() for _ in range(5)]
            assert [side.status(call) for call in calls] == [200] * 5
            assert side.status(side.sign()) == 503
            assert [side.status(call) for call in calls] == [401] * 5
            assert ask(proxy.port, "/status", None, (b"Authorization", proxy.operator()[1])).status == 200

    def http_1_0_and_head(self):
        side = self.side
        with Client(side.port) as client:
            call = side.sign()
            line = b"GET /status HTTP/1.0\r\nHost: localhost\r\nAuthorization: %b\r\n\r\n" % call.format().encode()
            client.send(line)
            answer = client.answer()
        signed = signatures.sign_answer(side.token, call.signature, 200, answer.body).encode()
        assert answer.field(b"x-fairlead-signature") == signed
        assert side.status(side.sign("HEAD"), "HEAD") == 200

    # Answers

    def answer_changed_on_its_way(self):
        side = self.side
        changes = (
            lambda data: data.replace(b'"schema":1', b'"schema":2'),
            lambda data: data.replace(b"HTTP/1.1 200", b"HTTP/1.1 201"),
            lambda data: data.replace(b"x-fairlead-signature", b"x-fairlead-signatura"),
            lambda data: data,
        )
        refused = []
        for change in changes:
            with between(side, change) as port:
                # As one who holds the very address in another network would be: its own place is signed for.
                proxy = RunningProxy(f"http://127.0.0.1:{port}", side.token, side.process)
                self.monkeypatch.setattr("router.operator_api.client._find_place", lambda _: side.place)
                try:
                    trio.run(proxy.fetch_status)
                    refused.append(False)
                except ControlError as error:
                    refused.append("not signed" in str(error))
        assert refused == [True, True, True, False]

    def answer_of_another_request(self):
        side = self.side
        kept = []

        def repeat(data):
            kept.append(data)
            return kept[0]

        with between(side, repeat, times=2) as port:
            proxy = RunningProxy(f"http://127.0.0.1:{port}", side.token, side.process)
            self.monkeypatch.setattr("router.operator_api.client._find_place", lambda _: side.place)
            trio.run(proxy.fetch_status)
            with pytest.raises(ControlError, match="not signed"):
                trio.run(proxy.fetch_status)


def test_every_probe_is_run():
    """And every run belongs to a probe."""
    runs = {run for run in vars(Runs) if not run.startswith("_")}
    assert runs == {method(name) for name in PROBES}


def method(name):
    return name.lower().replace(" ", "_").replace("/", "_").replace(".", "_")


@pytest.mark.parametrize("name", PROBES)
def test_probe(name, side, tmp_path, monkeypatch):
    """Each attack gives what its probe says."""
    getattr(Runs(side, tmp_path, monkeypatch), method(name))()
