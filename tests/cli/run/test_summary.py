"""What is said at the end of a run."""

import pytest

from router.cli.run.summary import Summary, format_summary
from router.store.history.read_requests import Move
from router.store.shared.key_books import KeyBook, ModelCount


def make(usage=None, **fields):
    """The lines for a program that took two minutes."""
    common = {"program": "/bin/claude", "exit_code": 0, "signal": 0, "started": 0.0, "duration_s": 120.0}
    where = {"url": "http://localhost:3456", "key": "run-claude-1", "tag": "", "budget_usd": None}
    return format_summary(Summary(**{**common, **where, **fields}, usage=usage))


USED = KeyBook(requests=12, tokens_in=1000, tokens_out=200, cache_read=3000, cost_usd=0.52)


def test_what_it_used():
    """Requests, time, tokens with what came from the provider's cache, and cost."""
    assert make(USED) == ["fairlead: 12 requests in 2 min   in 4,000 (75 % cached)   out 200   $0.52"]
    assert make(KeyBook()) == ["fairlead: 0 requests in 2 min"]


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (0.5, "the budget of $0.50 was used up: 3 requests refused"),
        (5.0, "3 requests refused by the guard"),
        (None, "3 requests refused by the guard"),
    ],
)
def test_refused(budget, told):
    """A budget that was used up is named as the reason; one that was not, is not. Refusals are not errors too."""
    book = KeyBook(requests=12, errors=4, cost_usd=0.52)
    lines = make(book, refused=3, budget_usd=budget)
    assert lines[1:] == [f"          {told}", "          1 error   fairlead usage --by error"]


def test_what_else_happened():
    """What moved, models without a price, and what could not be found out."""
    book = KeyBook(requests=2, unpriced=2, models=[ModelCount(backend="box", model="m", requests=2)])
    moves = [Move(requests=2, origin="a/one", target="a/two", reason="429")]
    assert make(book, moves=moves, problems=["why \x1b[2J"])[1:] == [
        "          2 moved from one to two (429)",
        "          2 requests of models without a known price",
        "          why \\u001b[2J",
    ]
    assert make(None, problems=["it has ended"]) == ["fairlead: ended after 2 min", "          it has ended"]


def test_a_program_that_sends_another_key():
    """Of its requests nothing is known: no count is given, but where they are."""
    assert make(KeyBook(), keeps_key=True) == [
        "fairlead: ended after 2 min",
        "          claude sent the key of its own file; its requests:   fairlead usage --by client",
    ]
    assert make(USED, keeps_key=True) == make(USED)
