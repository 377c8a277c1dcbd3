"""Calls of a team's server: deadlines, the breaker, what a user reads."""

import socket
import time

import pytest
import trustme

from router.errors import CommandError
from router.settings import Secret, Settings
from router.settings.declaring.shared import parse_address
from router.store.team.breaker import FAILURES, PROBE_SECONDS, Breaker
from router.store.team.client import CONNECT_SECONDS, Refused, Script, TeamClient, Unreachable
from router.store.team.opening import connect_team
from router.store.team.secrets import TeamSecret, read_team_secret

from .servers import Server, free_port

SECRET = Secret("s" * 32)


@pytest.fixture
def said():
    """What was said to the user."""
    return []


def test_a_script_and_commands(tmp_path, said):
    """Commands, pipelines and scripts are answered, also when the server has forgotten the script."""
    with Server(tmp_path) as server:
        client = TeamClient(parse_address(server.url), None, said.append)
        script = Script("return {KEYS[1], ARGV[1]}")
        assert client.execute("SET", "a", 1) is True
        assert client.pipeline([("GET", "a"), ("INCR", "a")]) == [b"1", 2]
        assert client.run(script, ["k"], [b"\xff"]) == [b"k", b"\xff"]
        server.command("SCRIPT", "FLUSH")
        assert client.run(script, ["k"], [7]) == [b"k", b"7"]
        with pytest.raises(Refused, match="unknown command"):
            client.execute("NOPE")
        client.close()
    assert said == []


def test_a_server_that_is_gone_and_comes_back(tmp_path, said):
    """Calls fail at once, the user is told once, and the first answer closes the breaker."""
    with Server(tmp_path) as server:
        client = TeamClient(parse_address(server.url), None, said.append)
        client.execute("PING")
        server.kill()
        for _ in range(FAILURES + 3):
            with pytest.raises(Unreachable, match=f"127.0.0.1:{server.port}"):
                client.execute("PING")
        assert client.breaker.problem is not None
        assert client.breaker.failing_since == pytest.approx(time.time(), abs=30)
        assert (client.breaker.failed, client.breaker.refused) == (FAILURES, 3)
        assert len(said) == 1
        server.start()
        ends = time.monotonic() + 30
        while client.breaker.problem is not None and time.monotonic() < ends:
            try:
                client.execute("PING")
            except Unreachable:
                time.sleep(0.02)
        assert client.breaker.problem is None
        assert said[1:] == [f"shared: 127.0.0.1:{server.port} answers again."]
        client.close()


def test_a_server_that_answers_nothing_costs_its_deadline(tmp_path, said):
    """A frozen server costs 250 ms a call, or the deadline that was asked for, never the client's own retries."""
    with Server(tmp_path) as server:
        client = TeamClient(parse_address(server.url), None, said.append)
        short = client.with_deadline(0.05)
        client.execute("PING")
        short.execute("PING")
        server.freeze()
        for one, most in ((client, 2.0), (short, 1.0)):
            before = time.monotonic()
            with pytest.raises(Unreachable, match="did not answer in time"):
                one.execute("PING")
            assert time.monotonic() - before < most
        server.thaw()
        client.execute("PING")
        client.close()
        short.close()


def test_a_listener_that_never_answers(said):
    """A port that accepts and says nothing is given up within the deadlines of a connection."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        client = TeamClient(parse_address(f"redis://127.0.0.1:{mute.getsockname()[1]}"), None, said.append)
        before = time.monotonic()
        with pytest.raises(Unreachable):
            client.execute("PING")
        assert time.monotonic() - before < 2 * CONNECT_SECONDS
        client.close()


def test_the_password_is_sent_and_never_shown(tmp_path, said):
    """A wrong password is named as such, and neither password is in the message."""
    with Server(tmp_path, "--requirepass", "right-password") as server:
        good = TeamClient(parse_address(server.url), Secret("right-password"), said.append)
        assert good.execute("PING")
        bad = TeamClient(parse_address(server.url), Secret("wrong-password"), said.append)
        with pytest.raises(Unreachable, match=r"shared\.password") as caught:
            bad.execute("PING")
        assert "wrong-password" not in str(caught.value)
        good.close()
        bad.close()


def test_a_certificate_is_checked(tmp_path, said):
    """rediss:// reaches a server whose certificate tls.ca_file vouches for, and no other name or issuer."""
    ca, other = trustme.CA(), trustme.CA()
    issued = ca.issue_cert("localhost")
    key, chain, roots, foreign = (tmp_path / name for name in ("key.pem", "cert.pem", "roots.pem", "foreign.pem"))
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(chain))
    ca.cert_pem.write_to_path(str(roots))
    other.cert_pem.write_to_path(str(foreign))
    tls = free_port()
    options = ("--tls-port", tls, "--tls-cert-file", chain, "--tls-key-file", key, "--tls-auth-clients", "no")
    with Server(tmp_path, *map(str, options)):

        def connect(host, ca_file):
            return TeamClient(parse_address(f"rediss://{host}:{tls}"), None, said.append, ca_file=str(ca_file))

        good = connect("localhost", roots)
        assert good.execute("PING")
        for wrong in (connect("127.0.0.1", roots), connect("localhost", foreign)):
            with pytest.raises(Unreachable, match="certificate"):
                wrong.execute("PING")
            wrong.close()
        good.close()


def test_the_breaker_lets_one_probe_through():
    """After FAILURES in a row calls are refused, and one a second goes through; an answer closes it."""
    now = [0.0]
    breaker = Breaker(lambda: now[0], lambda: 1000.0)
    for number in range(FAILURES):
        assert breaker.admit()
        assert breaker.fail("gone") == (number == FAILURES - 1)
    assert (breaker.problem, breaker.failing_since) == ("gone", 1000.0)
    assert not breaker.admit()
    now[0] += PROBE_SECONDS
    assert breaker.admit()
    assert not breaker.admit()
    assert not breaker.fail("still gone")
    now[0] += PROBE_SECONDS
    assert breaker.admit()
    assert breaker.succeed()
    assert breaker.problem is None
    assert not breaker.succeed()


def test_failures_far_apart_open_nothing():
    """A lost packet now and then is no outage."""
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(20):
        assert breaker.admit()
        breaker.fail("lost")
        now[0] += 11
    assert breaker.problem is None


def test_identities_are_the_same_in_a_team_alone():
    """Equal texts have one identity in a team; another team, kind or secret has another; none shows the text."""
    blue, again, red = TeamSecret(SECRET, "blue"), TeamSecret(SECRET, "blue"), TeamSecret(SECRET, "red")
    named = blue.identify("account", "sk-secret")
    assert named == again.identify("account", "sk-secret")
    assert len({named, red.identify("account", "sk-secret"), blue.identify("login", "sk-secret")}) == 3
    assert named != TeamSecret(Secret("t" * 32), "blue").identify("account", "sk-secret")
    assert len(named) == 32
    assert "secret" not in named + repr(blue)
    assert blue.derive("a") == again.derive("a") != blue.derive("b")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(shared_url="redis://localhost"), "shared.secret is not"),
        (Settings(shared_url="redis://localhost", shared_secret=Secret("short")), "shorter than 32"),
        (Settings(shared_url="redis://localhost", shared_secret=Secret("env:NOT_SET")), r"shared\.secret: \$NOT_SET"),
        (Settings(shared_url="redis://localhost", shared_secret=Secret('cmd:["a"]')), "cannot be taken from cmd"),
    ],
)
def test_a_team_without_a_good_secret_does_not_start(settings, said):
    """What is missing is said together with what to do."""
    with pytest.raises(CommandError, match=said):
        connect_team(settings, print, {})


def test_a_secret_by_reference(tmp_path):
    """A reference and the text itself give one secret."""
    (tmp_path / "secret").write_text("s" * 32)
    (tmp_path / "secret").chmod(0o600)
    for text in ("s" * 32, "env:TEAM", f"file:{tmp_path}/secret"):
        found = read_team_secret(Settings(shared_secret=Secret(text)), {"TEAM": "s" * 32})
        assert found.derive("a") == TeamSecret(SECRET, "team").derive("a")
