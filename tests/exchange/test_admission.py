"""The guard before each attempt: halted accounts are passed over, and the error when none is left."""

import pytest
import trio

from router.errors import BudgetBusy, Halted

from .playbook import playing
from .worlds import (
    CHAT,
    MESSAGES,
    RESPONSES,
    box,
    chat,
    good,
    guarded,
    in_order,
    message,
    refuses,
    response,
    wait,
)


def test_a_halted_account_is_passed_over(three):
    """Another serves in its place, and the record says why."""
    guarded(three, "account box/a0")
    played = playing(three, CHAT, chat(), good())
    assert (played.asked, played.status) == (["a1"], 200)
    assert "box/a0 passed over: account box/a0 spent its budget" in played.record.notes
    assert played.record.attempts == 1


@pytest.mark.parametrize(("path", "status"), [(CHAT, 402), (MESSAGES, 402), (RESPONSES, 429)])
def test_a_halt_of_all_is_final(made, path, status):
    """No account is asked; Codex takes only a 429 as final."""
    body = {CHAT: chat(), MESSAGES: message(), RESPONSES: response()}[path]
    protocols = ("chat", "messages", "responses")
    runtime = made(box("box", "a0", "a1", protocols=protocols), settings=in_order())
    guarded(runtime, "all")
    played = playing(runtime, path, body)
    assert (played.asked, played.status) == ([], status)
    assert isinstance(played.error, Halted)
    assert played.fields[b"x-should-retry"] == b"false"


def test_a_halted_backend_leads_along_the_chain(chain):
    """All accounts of a halted backend are left out at once."""
    guarded(chain, "backend box")
    played = playing(chain, CHAT, chat(), good())
    assert (played.asked, played.status) == (["b"], 200)
    assert "passed over: backend box spent its budget" in played.record.notes[0]


def test_a_halted_backend_without_a_chain(three):
    """The guard's refusal is given, and no try is recorded."""
    guarded(three, "backend box")
    played = playing(three, CHAT, chat())
    assert (played.asked, played.status, played.record.tries) == ([], 402, [])
    # One account speaks for all of them.
    assert played.record.notes == ("box/a0 passed over: backend box spent its budget",)


def test_an_upstreams_error_goes_before_a_halt(chain):
    """A halt has the lowest rank: the client gets an upstream's error rather than it."""
    guarded(chain, "backend second", "backend third")
    played = playing(chain, CHAT, chat(), refuses(429, wait(900)))
    assert (played.asked, played.status) == (["a"], 429)


def test_a_halted_backend_is_not_ready(chain):
    """What is halted serves nobody: the client is told when the limit of the other one ends."""
    guarded(chain, "backend second", "account third/c")
    played = playing(chain, CHAT, chat(), refuses(429, wait(900)))
    assert (played.asked, played.status, played.fields[b"retry-after"]) == (["a"], 429, b"900")
    assert b"x-should-retry" not in played.fields


def test_a_halt_is_no_try(made):
    """What passed over a halted backend was sent to one place only: the client may try again itself."""
    first, second = (box(name, alias, protocols=("responses",)) for name, alias in (("box", "a"), ("second", "b")))
    runtime = made(first, second, settings=in_order(fallback={"*": ("second:n",)}))
    guarded(runtime, "backend box")
    played = playing(runtime, RESPONSES, response(store=True), refuses(500))
    assert (played.asked, played.status) == (["b"], 500)
    assert b"x-should-retry" not in played.fields


CLAIM = b"anthropic-ratelimit-unified-representative-claim"


@pytest.mark.parametrize(
    ("script", "allowed", "trips"),
    [
        (good("chat", (CLAIM, b"five_hour")), ("five_hour",), []),
        (good("chat", (CLAIM, b"overage")), ("five_hour",), ["all"]),
        (good(), ("five_hour",), []),
        (refuses(400, (CLAIM, b"overage")), ("five_hour",), []),
    ],
)
def test_what_an_answer_is_billed_to(one, script, allowed, trips):
    """A class that is not allowed halts all as soon as the head is there; an error is billed to nothing."""
    guard = guarded(one, billing=allowed)
    playing(one, CHAT, chat(), script)
    assert list(guard._halting) == trips


def busy(runtime, scope):
    """Have the guard find no room in a budget of this scope."""
    guard = guarded(runtime)
    admit = guard.admit

    async def refuse(demand, rules, wait):
        if scope == "all" or demand.backend == scope.removeprefix("backend "):
            error = BudgetBusy("There is no room yet.", retry_after=5)
            error.scope, error.reason = scope, f"{scope} has no room now"
            raise error
        return await admit(demand, rules, wait)

    guard.admit = refuse


def test_a_budget_without_room_is_no_halt(chain):
    """The client is told to come again; nothing goes upstream."""
    busy(chain, "all")
    played = playing(chain, CHAT, chat(), good())
    assert (played.asked, played.status) == ([], 503)
    assert played.fields[b"retry-after"] == b"5"
    assert b"x-should-retry" not in played.fields
    assert played.record.error == "budget_busy"


@pytest.mark.parametrize("seconds", [0.0, 7.0])
def test_the_wait_for_room_in_a_budget_is_told(one, seconds):
    """It is a part of the time before the request was sent, which nothing else explains; no wait is no note."""
    guard = guarded(one)

    async def admit(demand, rules, wait):
        wait(60.0)
        await trio.sleep(seconds)

    guard.admit = admit
    record = playing(one, CHAT, chat(), good()).record
    assert record.queued == pytest.approx(seconds)
    assert ("waited 7 s for room in a budget" in record.notes) is (seconds > 0)
    assert record.waits == ""


def test_a_backend_without_room_is_passed_over(chain):
    """Another has room."""
    busy(chain, "backend box")
    played = playing(chain, CHAT, chat(), good())
    assert (played.asked, played.status) == (["b"], 200)


def test_a_backend_without_room_and_without_others(three):
    """It is told as it is, with when to come again."""
    busy(three, "backend box")
    played = playing(three, CHAT, chat())
    assert (played.asked, played.status) == ([], 503)
    assert played.fields[b"retry-after"] == b"5"
