"""A whole run: the card of the demo backend, what a run may cost, and what the worst backends make of it."""

import json

import pytest

from router.backends import PROTOCOLS

from ..net.peers import scripted, speaking
from .benches import KEY, Demo, make_backend, run_against, run_plan, verdicts


@pytest.fixture(scope="module")
def demo():
    return run_against(Demo(word_delay=0))


def test_the_demo_serves_all_protocols(demo):
    """The card of the demo says that it serves what it serves."""
    found = verdicts(demo)
    assert {name: word for name, word in found.items() if name.startswith("protocols.")} == {
        f"protocols.{name}": "yes"
        for name in (*PROTOCOLS, "count_tokens", "input_tokens", "gemini_count", "embeddings")
    }


def test_a_missing_protocol_flips_its_row():
    """A backend without Messages is told from one with it, and no other row changes."""
    with scripted() as peer:
        found = run_plan(make_backend(peer.root), ("protocols.messages",), model="m")
    assert verdicts(found) == {"protocols.messages": "no"}
    assert found.rows[0].status == 404


def test_no_secret_reaches_a_card():
    """A backend that repeats the key it was sent gets it into no row."""
    with scripted() as peer:
        for path in ("/v1/messages", "/v1/chat/completions"):
            peer.answers[path] = lambda headers: (400, {}, json.dumps({"error": headers}).encode())
        found = run_plan(make_backend(peer.root), ("protocols.messages", "protocols.chat"), model="m")
    assert [path for _, path, _, _ in peer.seen] == ["/v1/messages", "/v1/chat/completions", "/v1/models"]
    assert {row.status for row in found.rows} == {400}
    assert KEY not in repr(found.card)


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"])
def test_what_is_no_answer_is_a_row(said):
    """A backend that hangs up, or does not speak HTTP, is `unknown` with what it did."""
    with speaking(said) as root:
        found = run_plan(make_backend(root), ("protocols.chat",), model="m", seconds=1.0)
    [row] = found.rows
    assert row.verdict in ("unknown", "no")
    assert row.evidence


def test_a_run_ends_at_its_budget():
    """With no budget left nothing is sent that costs: the rest of the rows says why."""
    found = run_against(Demo(word_delay=0), ("protocols",), model="gpt-4o", budget=0.0)
    assert {(row.verdict, row.requests) for row in found.rows} == {("unknown", 0)}
    assert all("budget" in row.evidence for row in found.rows)
