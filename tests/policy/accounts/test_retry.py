"""What may be sent again, where, and when."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.retry import (
    LATEST,
    REPEATS,
    RESENDS,
    STOP,
    Fault,
    ResendChange,
    RetryState,
    SendResult,
    choose_resend,
    decide_next,
    format_duration,
    may_resend,
    needs_body,
    rank_error,
)
from router.policy.accounts.verdict import BURST_SECONDS

FRESH = RetryState(others=False, bound=False, repeats=0, several=False, elapsed=1.0, ready=30.0, patience=60.0)


@pytest.mark.parametrize(
    ("safety", "faults"),
    [
        ("safe", {*Fault}),
        (
            "maybe_executed",
            {
                *(Fault.HALTED, Fault.NOT_CONNECTED, Fault.AUTH_REJECTED, Fault.REQUEST_REJECTED),
                *(Fault.LIMITED, Fault.UNREADABLE_STATE),
            },
        ),
        ("not_replayable", {Fault.HALTED, Fault.NOT_CONNECTED}),
    ],
)
def test_what_may_be_sent_again(safety, faults):
    """The second table at the top of the file."""
    assert {fault for fault in Fault if may_resend(fault, safety)} == faults


BODY_OF_400 = b'{"error":{"message":"Unknown parameter: stream_options"}}'
MISSING_SIGNATURE = b'{"error":{"message":"Function call is missing a thought_signature in functionCall parts."}}'
BAD_SIGNATURE = b'{"error":{"message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}'


@pytest.mark.parametrize(
    ("sent", "body", "change"),
    [
        (SendResult(reused=True), b"", ResendChange.CONNECTION),
        (SendResult(reused=True, answered=True), b"", None),
        (SendResult(), b"", None),
        (SendResult(500, answered=True, reused=True), b"", None),
        (SendResult(400, answered=True, probed=True), BODY_OF_400, ResendChange.PROBE),
        (SendResult(400, answered=True), BODY_OF_400, None),
        (SendResult(400, answered=True, probed=True), b"other words", None),
        (SendResult(422, answered=True, probed=True), BODY_OF_400, None),
        (SendResult(400, answered=True, thinking=True), BAD_SIGNATURE, ResendChange.THINKING),
        (SendResult(400, answered=True, thinking=True), MISSING_SIGNATURE, ResendChange.THINKING),
        (SendResult(400, answered=True, thinking=True), BODY_OF_400, None),
        (SendResult(400, answered=True, probed=True, thinking=True), BAD_SIGNATURE, ResendChange.THINKING),
        (SendResult(400, answered=True), BAD_SIGNATURE, None),
        (SendResult(400, answered=True, searches=True), b"Invalid `encrypted_content`", ResendChange.SEARCHES),
        (SendResult(400, answered=True), b"Invalid `encrypted_content`", None),
        (SendResult(401, answered=True, fetched_key=True), b"", ResendChange.KEY),
        (SendResult(401, answered=True), b"", None),
        (SendResult(403, answered=True, fetched_key=True), b"", None),
        (SendResult(403, answered=True, fetched_key=True, key_expired=True), b"", ResendChange.KEY),
        (SendResult(403, answered=True, key_expired=True), b"", None),
    ],
)
def test_the_same_account_again(sent, body, change):
    """The first table at the top of the file, for both safeties of a body that is in memory; never for another."""
    for safety in ("safe", "maybe_executed"):
        row = choose_resend(sent._replace(written=False), safety, body)
        assert (row and row.change) == change
    assert choose_resend(sent, "not_replayable", body) is None
    assert not needs_body(sent, "not_replayable")


def test_what_may_have_been_carried_out_is_not_sent_on_a_new_connection():
    """Once any of it was written to a connection that broke off, nobody knows; what may be repeated is."""
    sent = SendResult(reused=True, written=True)
    assert choose_resend(sent, "maybe_executed") is None
    row = choose_resend(sent, "safe")
    assert row is not None
    assert row.change is ResendChange.CONNECTION


def test_bodies_are_read_only_where_they_decide():
    """Of a 400 that may be about what fairlead added or what another upstream wrote, and of nothing else."""
    assert needs_body(SendResult(400, answered=True, probed=True), "safe")
    assert needs_body(SendResult(400, answered=True, thinking=True), "maybe_executed")
    assert not needs_body(SendResult(400, answered=True), "safe")
    assert not needs_body(SendResult(401, answered=True, probed=True, thinking=True, fetched_key=True), "safe")
    assert not needs_body(SendResult(reused=True, probed=True), "safe")


def test_what_is_noted_of_a_change():
    """The class of error of the failed try, and the words of `why`."""
    assert {row.change: (row.error, row.note) for row in RESENDS} == {
        ResendChange.CONNECTION: ("stale_connection", ""),
        ResendChange.PROBE: ("upstream_error", "sent again without stream_options"),
        ResendChange.THINKING: ("upstream_error", "sent again without earlier thinking"),
        ResendChange.SEARCHES: ("upstream_error", "sent again with earlier searches as text"),
        ResendChange.KEY: ("upstream_error", ""),
    }


MADE_FALSE = {
    ResendChange.CONNECTION: "reused",
    ResendChange.PROBE: "probed",
    ResendChange.THINKING: "thinking",
    ResendChange.SEARCHES: "searches",
    ResendChange.KEY: "fetched_key",
}


@given(
    st.builds(
        SendResult,
        status=st.sampled_from([0, 400, 401]),
        answered=st.booleans(),
        reused=st.booleans(),
        probed=st.booleans(),
        thinking=st.booleans(),
        searches=st.booleans(),
        fetched_key=st.booleans(),
    ),
    st.sampled_from([b"", BODY_OF_400, BAD_SIGNATURE, BODY_OF_400 + BAD_SIGNATURE, b"encrypted_content"]),
)
def test_no_change_follows_itself(sent, body):
    """An upstream that answers the same for ever gets a request once more for each change at most."""
    seen = []
    while (row := choose_resend(sent, "safe", body)) is not None:
        assert row.change not in seen
        seen.append(row.change)
        sent = sent._replace(**{MADE_FALSE[row.change]: False})


@pytest.mark.parametrize(
    ("fault", "changes", "burst", "action"),
    [
        (Fault.LIMITED, {"others": True}, False, "move"),
        (Fault.LIMITED, {}, False, "again"),
        (Fault.LIMITED, {"ready": 61.0}, False, "stop"),
        (Fault.LIMITED, {"repeats": REPEATS}, False, "stop"),
        (Fault.LIMITED, {"others": True, "bound": True, "ready": 2.0}, True, "again"),
        (Fault.LIMITED, {"others": True, "bound": True, "ready": 2.0, "repeats": REPEATS}, True, "move"),
        (Fault.LIMITED, {"others": True, "ready": 2.0}, True, "move"),
        (Fault.LIMITED, {"elapsed": LATEST}, False, "stop"),
        (Fault.LIMITED, {"elapsed": LATEST - 20}, False, "stop"),
        (Fault.FAILED, {}, False, "stop"),
        (Fault.FAILED, {"others": True}, False, "move"),
        (Fault.FAILED, {"several": True}, False, "again"),
        (Fault.FAILED, {"several": True, "repeats": REPEATS}, False, "stop"),
        (Fault.AUTH_REJECTED, {"several": True}, False, "stop"),
        (Fault.NOT_CONNECTED, {"others": True, "elapsed": LATEST}, False, "stop"),
    ],
)
def test_decisions(fault, changes, burst, action):
    """The next account, the chain, the queue; one account alone is left to the client's own retries."""
    assert decide_next(fault, "safe", FRESH._replace(**changes), burst=burst).action == action


def test_delays_have_jitter():
    """Requests that failed together do not come back together."""
    moved = FRESH._replace(several=True)
    delays = {decide_next(Fault.FAILED, "safe", moved, jitter=part / 10).delay for part in range(11)}
    assert len(delays) == 11
    assert 0.5 <= min(delays) < max(delays) <= 1.0


@given(
    st.sampled_from(list(Fault)),
    st.sampled_from(["safe", "maybe_executed", "not_replayable"]),
    st.builds(
        RetryState,
        others=st.booleans(),
        bound=st.booleans(),
        repeats=st.integers(0, 3),
        several=st.booleans(),
        elapsed=st.floats(0, 500),
        ready=st.floats(0, 1e7),
        patience=st.floats(0, 500),
    ),
    st.booleans(),
    st.floats(0, 1),
)
def test_never_too_often_nor_too_late(fault, safety, state, burst, jitter):
    """Nothing is sent again that may not be, after LATEST seconds, or more than REPEATS times to one account."""
    decision = decide_next(fault, safety, state, burst=burst and fault is Fault.LIMITED, jitter=jitter)
    if decision != STOP:
        assert may_resend(fault, safety)
        assert state.elapsed < LATEST
    if decision.action == "again":
        assert state.repeats < REPEATS
    if decision.action == "move":
        assert state.others
    assert 0 <= decision.delay <= max(BURST_SECONDS, 4.0)


@pytest.mark.parametrize("fault", [Fault.LIMITED, Fault.AUTH_REJECTED])
def test_a_stumble_is_tried_again_when_the_others_are_closed(fault):
    """As after the stumble itself, while it is open; a limit that ends in time is waited for."""
    state = FRESH._replace(several=True, stumbled=True, ready=0.0)
    assert decide_next(fault, "safe", state).action == "again"
    assert not decide_next(fault, "safe", state).limit
    assert decide_next(fault, "safe", state._replace(ready=900.0)).action == "stop"
    assert decide_next(fault, "safe", state._replace(ready=900.0, stumbled=False)).action == "stop"
    assert decide_next(fault, "safe", state._replace(repeats=2)).action == "stop"
    assert decide_next(Fault.LIMITED, "safe", state._replace(ready=5.0)).limit
    assert decide_next(Fault.REQUEST_REJECTED, "safe", state).action == "stop"


def test_the_most_telling_error():
    """When it works again, what to mend, what happened; the upstream's words before ours."""
    order = [
        rank_error(status, own=own)
        for status, own in ((429, False), (401, False), (403, False), (529, False), (504, True))
    ]
    assert order == sorted(order)
    assert all(a < b for a, b in itertools.pairwise(order))


def test_spans():
    """As people say them."""
    assert [format_duration(one) for one in (1.5, 8.0, 38.2, 2280.0, 18_000.0, 300_000.0)] == [
        "1.5 s",
        "8 s",
        "38 s",
        "38 min",
        "5 h",
        "3 days",
    ]
