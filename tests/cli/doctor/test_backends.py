"""The checks of backends: how far a connection comes, keys, protocols, and the tiny request of --probe."""

import json
import socket
import ssl

import pytest
import trustme

from router.cli.doctor.checks import backends
from router.cli.doctor.checks.backends import judge_certificate
from router.conform.age import compute_fingerprint
from router.conform.card_file import write_card
from router.conform.record import Card, Row
from router.conform.runner import format_now
from router.net.control import handshake
from router.net.control.handshake import Certificate, Connection, Resolved
from router.store.home.home import open_home

from ...local_servers import (
    listening,
    model_server,
    send_endless_head,
    send_slowly,
    send_without_end,
    stay_silent,
)
from ...net.peers import scripted


@pytest.fixture
def add(fairlead):
    """Adds a backend for a URL."""

    def add_backend(url, *more, name="box", protocols="chat", key="sk-good"):
        words = [*more, *([] if "--no-key" in more or "--key-env" in more else ["--key-stdin"])]
        fairlead("backend", "add", name, "--base-url", url, "--protocols", protocols, *words, stdin=key)
        assert fairlead.backend(name)

    return add_backend


def test_one_that_works(add, provider, examine):
    """How long each step took, and that the key is accepted."""
    add(f"{provider.url}/v1")
    report = examine("backend.box")
    assert (report.code, report.wrong()) == (0, [])
    assert report.get("backend.box")["text"].startswith("DNS ")
    assert ", key accepted, 2 models" in report.get("backend.box.key")["text"]
    assert {row["subject"] for row in report.rows} == {"box"}


def test_one_that_does_not_run(add, examine):
    """That is said once as the reason, with what to do."""
    port = find_closed_port()
    add(f"http://127.0.0.1:{port}/v1", name="other")
    report = examine("backend.other")
    row = report.get("backend.other")
    assert (report.code, row["status"]) == (1, "fail")
    assert row["text"] == f"127.0.0.1:{port} cannot be reached: connection refused"
    assert row["fix"] == (
        "Is its server running, and is the port right? Change the address: fairlead backend set other --base-url URL"
    )


def find_closed_port():
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_name_that_leads_nowhere(add, examine, monkeypatch):
    """DNS is what fails."""
    add("http://127.0.0.1:1")

    async def resolve(host, seconds):
        return "its name cannot be resolved (Name or service not known)"

    monkeypatch.setattr(handshake, "resolve", resolve)
    row = examine("backend.box").find("backend.box")[0]
    assert row["text"] == "127.0.0.1: its name cannot be resolved (Name or service not known)"
    assert row["fix"].startswith("Is it spelled correctly, and are network and VPN up?")


@pytest.mark.parametrize(
    ("v4", "v6", "verdicts", "text"),
    [
        (Connection(4.0), Connection(5.0), ["ok"], "DNS "),
        (Connection(4.0), Connection(0.0, "network is unreachable"), ["ok"], "DNS "),
        (Connection(4.0), Connection(0.0, "no answer within 2 s", silent=True), ["warn"], "does not answer over IPv6"),
        (Connection(0.0, "no answer within 2 s", silent=True), Connection(4.0), ["warn"], "does not answer over IPv4"),
        (Connection(0.0, "no route to host"), Connection(0.0, "x"), ["fail"], "cannot be reached: no route to host"),
    ],
)
def test_addresses_of_both_families(add, examine, monkeypatch, v4, v6, verdicts, text):
    """One that swallows connections delays each new one; one that is not there does no harm."""
    add("http://127.0.0.1:1")

    async def resolve(host, seconds):
        return Resolved(("192.0.2.1",), ("2001:db8::1",), 1.0)

    async def connect(address, port, seconds):
        return v6 if ":" in address else v4

    monkeypatch.setattr(handshake, "resolve", resolve)
    monkeypatch.setattr(handshake, "connect", connect)
    rows = examine("backend.box").find("backend.box")
    assert [row["status"] for row in rows] == verdicts
    assert text in rows[0]["text"]


@pytest.mark.parametrize(
    ("host", "found", "said"),
    [
        ("api.example.com", "93.184.215.14", []),
        ("api.example.com", "198.18.0.7", ["a VPN or filter here answers for all names"]),
        ("api.example.com", "10.0.0.7", ["a private address: your network answers for it"]),
        ("box.local", "10.0.0.7", []),
        ("localhost", "127.0.0.1", []),
    ],
)
def test_addresses_that_no_public_host_has(host, found, said):
    """They are told of, and no fault."""
    rows = backends._judge_addresses("backend.x", host, Resolved((found,), (), 1.0))
    assert [row.status for row in rows] == ["info"] * len(said)
    assert all(text in row.text for text, row in zip(said, rows, strict=True))


@pytest.mark.parametrize(
    ("days", "public", "host", "own_roots", "verdicts"),
    [
        (90, True, "api.example.com", False, []),
        (13, True, "api.example.com", False, ["warn"]),
        (90, False, "api.example.com", False, ["warn"]),
        (90, False, "api.example.com", True, ["info"]),
        (90, False, "box.local", False, []),
        (90, False, "127.0.0.1", False, []),
        (1, False, "api.example.com", False, ["warn", "warn"]),
    ],
)
def test_certificates(days, public, host, own_roots, verdicts):
    """Its end, and an authority that only this machine knows: a program on the way reads along."""
    seen = Certificate("Example Inspection", 1000.0 + days * 86400, 1.0, public)
    rows = judge_certificate("backend.x", host, seen, 1000.0, own_roots=own_roots)
    assert [row.status for row in rows] == verdicts
    if not public and rows:
        assert "is signed by Example Inspection, which is none that browsers ship" in rows[-1].text


@pytest.fixture
def authority(tmp_path):
    """An authority of this test's own, and its file."""
    made = trustme.CA(organization_name="Own CA")
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    return made


def make_server_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_tls(fairlead, add, examine, authority, tmp_path):
    """A certificate is read, and told of when it is not accepted."""
    with scripted(make_server_context(authority)) as peer:
        add(peer.root, "--key-env", "NOT_SET")
        row = examine("backend.box").get("backend.box")
        assert row["status"] == "fail"
        assert "its certificate was not accepted (" in row["text"]
        assert row["fix"].startswith("It is not signed by a trusted CA.")
        fairlead("config", "set", "tls.ca_file", str(tmp_path / "ca.pem"))
        row = examine("backend.box").get("backend.box")
        assert row["status"] == "ok"
        assert ", TLS " in row["text"]


def test_a_server_without_tls(add, provider, examine):
    """It was asked in TLS."""
    add(provider.url.replace("http://", "https://"), "--key-env", "NOT_SET")
    row = examine("backend.box").get("backend.box")
    assert (row["status"], "does not speak TLS" in row["text"]) == ("fail", True)


def test_behind_a_proxy(add, examine):
    """The proxy looks names up, and is asked for the rest."""
    add("https://api.example.com/v1", "--key-env", "NOT_SET")
    report = examine("backend.box", HTTPS_PROXY="http://me:word1234@127.0.0.1:1", SOME_KEY="x")
    text = report.get("backend.box")["text"]
    assert text == "reached through the proxy http://127.0.0.1:1, which looks its name up"


def test_a_key_that_is_refused(add, provider, examine):
    """With the provider's code, and the command that stores another."""
    add(f"{provider.url}/v1", key="sk-wrong")
    row = examine("backend.box").get("backend.box.key")
    assert row["status"] == "fail"
    assert row["text"].endswith("key refused (401 invalid_api_key)")
    assert row["fix"] == "Store the provider's key: fairlead backend add box --key-stdin"


def test_one_of_several_keys(add, fairlead, provider, examine):
    """Each account is tried."""
    add(f"{provider.url}/v1")
    fairlead("accounts", "add", "box", "second", "--key-stdin", stdin="sk-wrong")
    rows = examine("backend.box").find("backend.box.key")
    assert [(row["status"], row["text"].partition(":")[0]) for row in rows] == [("ok", "default"), ("fail", "second")]
    assert "fairlead accounts add box second --key-stdin" in rows[1]["fix"]


ANSWERS = {
    "a login page": (200, "Content-Type: text/html\r\n", b"<html>Log in</html>"),
    "a redirection": (302, "Location: http://127.0.0.1:1/login\r\n", b""),
    "no money": (402, "", b'{"error":{"message":"Insufficient credits","code":"insufficient_quota"}}'),
    "an error": (500, "", b"{}"),
    "no JSON": (200, "", b"OK"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answers_of_something_else(add, examine, answer):
    """A portal, a provider without credit: it fails, and says with what."""
    with model_server("", answers={"/v1/models": answer}) as (port, _):
        add(f"http://127.0.0.1:{port}/v1")
        report = examine("backend.box.key")
    row = report.get("backend.box.key")
    assert (report.code, row["status"]) == (1, "fail")
    assert row["fix"]


@pytest.mark.parametrize("behave", [stay_silent, send_slowly, send_endless_head])
def test_one_that_hangs(add, examine, monkeypatch, behave):
    """It fails within its time, however it keeps the connection open."""
    monkeypatch.setattr(backends, "LIST_SECONDS", 0.3)
    with listening(behave) as port:
        add(f"http://127.0.0.1:{port}/v1", "--key-env", "BOX_KEY")
        row = examine("backend.box.key", BOX_KEY="sk-good-00001").get("backend.box.key")
    assert row["status"] == "fail"
    assert row["fix"]


def test_one_that_sends_without_end(add, examine):
    """It is not read to its end."""
    with listening(send_without_end) as port:
        add(f"http://127.0.0.1:{port}/v1", "--key-env", "BOX_KEY")
        row = examine("backend.box.key", BOX_KEY="sk-good-00001").get("backend.box.key")
    assert (row["status"], row["text"]) == ("fail", f"127.0.0.1:{port} sent more than 8 MiB")


def test_an_empty_list(add, examine):
    """Nothing can be routed by it."""
    with model_server("", answers={"/v1/models": (200, "", b'{"data":[]}')}) as (port, _):
        add(f"http://127.0.0.1:{port}/v1", "--no-key")
        row = examine("backend.box.key").get("backend.box.key")
    assert (row["status"], row["text"], row["fix"]) == (
        "warn",
        "its model list is empty",
        "Name its models as box:MODEL",
    )


def test_protocols_that_are_not_served(add, provider, examine):
    """What is claimed is held against what answers; nothing is spent for it."""
    provider.serves = {"/v1/chat/completions"}
    add(f"{provider.url}/v1", protocols="chat,messages,responses")
    row = examine("backend.box.protocols").get("backend.box.protocols")
    assert row["status"] == "warn"
    assert row["text"].startswith("messages, responses is not served there (404)")
    assert row["fix"] == "Leave it out: fairlead backend set box --protocols chat"
    provider.serves = {"/v1/chat/completions", "/v1/messages", "/v1/responses"}
    assert examine("backend.box.protocols").rows == []


def test_a_404_of_a_model_counts_not(add, examine):
    """A server may say so of an empty request."""
    missing = (404, "", b'{"error":"model \\"\\" not found"}')
    answers = {"/v1/models": (200, "", b'{"data":[{"id":"m"}]}'), "/v1/messages": missing}
    with model_server("", answers=answers) as (port, _):
        add(f"http://127.0.0.1:{port}/v1", "--no-key", protocols="chat,messages")
        assert examine("backend.box.protocols").rows == []


def test_offline(fairlead, provider, examine, add):
    """Beyond this machine nothing is asked; on it, all is."""
    add("https://api.example.com/v1", "--key-env", "NOT_SET", name="far")
    add(f"{provider.url}/v1")
    report = examine("backend", "--offline")
    assert report.find("backend.far") + report.find("backend.far.key") == []
    assert report.get("backend.box")["status"] == "ok"


def test_a_probe(add, provider, examine):
    """A tiny request in each protocol, only where it was asked for."""
    add(f"{provider.url}/v1", protocols="chat,messages")
    assert examine("backend").find("backend.box.probe") == []
    row = examine("backend.box", "--probe").get("backend.box.probe")
    assert row["status"] == "ok"
    assert row["text"].startswith("model-a answered: messages ")
    assert row["text"].endswith(" (12 events); 3 tiny requests at its price")
    provider.serves = {"/v1/chat/completions"}
    rows = examine("backend.box.probe", "--probe").find("backend.box.probe")
    assert [row["status"] for row in rows] == ["fail", "ok"]
    assert rows[0]["text"].startswith("messages of model-a: ")


@pytest.mark.parametrize(
    ("pause", "late", "verdicts"), [(0.0, 0.0, ["warn", "ok"]), (0.02, 0.0, ["ok"]), (0.0, 60.0, ["ok"])]
)
def test_a_stream_that_is_held_back(add, provider, examine, monkeypatch, pause, late, verdicts):
    """Many events at once, long after the request; not those of one that is fast, or that come one by one."""
    monkeypatch.setattr(backends, "_LATE", late)
    provider.pause = pause
    add(f"{provider.url}/v1")
    rows = examine("backend.box", "--probe").find("backend.box.probe")
    assert [row["status"] for row in rows] == verdicts
    if verdicts[0] == "warn":
        assert "came all at once (12 events within " in rows[0]["text"]
        assert rows[0]["fix"].endswith("fairlead doctor env.proxy config")


def test_a_backend_that_does_not_stream(add, provider, examine):
    """It answers all the same, and tools wait for the whole."""
    provider.pause = None
    add(f"{provider.url}/v1")
    rows = examine("backend.box", "--probe").find("backend.box.probe")
    assert [row["status"] for row in rows] == ["warn", "ok"]
    assert rows[0]["text"].endswith(" was asked for a stream and sent application/json")


def test_a_stream_that_breaks(add, provider, examine, monkeypatch):
    """The other request was answered."""
    add(f"{provider.url}/v1")
    answer, told = provider.answer, []

    def refuse_second(path, key):
        told.append(path)
        later = "chat" in path and told.count(path) == 2
        return (500, {"error": {"message": "no streams today"}}) if later else answer(path, key)

    monkeypatch.setattr(provider, "answer", refuse_second)
    rows = examine("backend.box.probe", "--probe").find("backend.box.probe")
    assert [row["status"] for row in rows] == ["fail", "ok"]
    assert rows[0]["text"] == "stream of chat: no streams today"


@pytest.mark.parametrize("inside", [False, True])
def test_an_error_inside_a_stream(add, provider, examine, monkeypatch, inside):
    """It is no answer either, whatever the status; inside: as Responses has it."""
    error = {"error": {"message": "overloaded"}}
    add(f"{provider.url}/v1")
    answer, told = provider.answer, []

    def fail_second(path, key):
        told.append(path)
        later = "chat" in path and told.count(path) == 2
        return (200, {"response": error} if inside else error) if later else answer(path, key)

    monkeypatch.setattr(provider, "answer", fail_second)
    rows = examine("backend.box.probe", "--probe").find("backend.box.probe")
    assert [row["text"] for row in rows if row["status"] == "fail"] == ["stream of chat: overloaded"]


def test_cards(add, examine, fairlead):
    """A new card is told; one that is old, of another URL or of another build of the model asks for a new one."""
    entry = {"id": "model-a", "created": 2}
    with scripted() as peer:
        peer.answers["/v1/models"] = (200, {}, json.dumps({"data": [entry]}).encode())
        add(peer.root)
        assert examine("backend.box.card").rows == []

        def judge(**fields):
            rows = (Row(id="reach.tls", verdict="yes", evidence=""), Row(id="reach.key", verdict="no", evidence=""))
            given = {"fairlead": "0", "date": format_now(), "backend": "box", "root": peer.root, "probes": rows}
            write_card(
                open_home({"FAIRLEAD_HOME": str(fairlead.home)}), Card(**{**given, "model": "model-a", **fields})
            )
            row = examine("backend.box.card").get("backend.box.card")
            return row["status"], row["text"], row["fix"]

        again = "Make a new one: fairlead conform box --model model-a"
        same, other = compute_fingerprint(entry), compute_fingerprint({**entry, "created": 1})
        found = judge(fingerprint=same)
        assert found[0] == "ok"
        assert found[1].startswith("its card of model-a: 1 yes, 1 no, ")
        status, text, fix = judge(date="2020-01-01T00:00:00Z")
        assert (status, text.endswith(" days old"), fix) == ("info", True, again)
        assert judge(root="http://elsewhere/v1")[::2] == ("info", again)
        assert judge(fingerprint=other) == (
            "warn",
            "its card of model-a was made with another build of the model, by what the model list says",
            again,
        )
    # What cannot be asked says nothing.
    assert judge(fingerprint=other)[0] == "ok"
