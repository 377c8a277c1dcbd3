"""What may be sent again, where, and when."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.retry import (
    BURST_SECONDS,
    LATEST,
    REPEATS,
    RESENDS,
    STOP,
    Fault,
    ResendChange,
    RetryState,
    SendResult,
    choose_resend,
    classify_status,
    decide_next,
    format_duration,
    may_resend,
    needs_body,
    rank_error,
    read_cooldown,
)

FRESH = RetryState(others=False, bound=False, repeats=0, several=False, elapsed=1.0, ready=30.0, patience=60.0)


@pytest.mark.parametrize(
    ("safety", "faults"),
    [
        ("safe", {*Fault}),
        (
            "maybe_executed",
            {Fault.HALTED, Fault.NOT_CONNECTED, Fault.AUTH_REJECTED, Fault.LIMITED, Fault.UNREADABLE_STATE},
        ),
        ("not_replayable", {Fault.HALTED, Fault.NOT_CONNECTED}),
    ],
)
def test_what_may_be_sent_again(safety, faults):
    """The second table at the top of the file."""
    assert {fault for fault in Fault if may_resend(fault, safety)} == faults


BODY_OF_400 = b'{"error":{"message":"Unknown parameter: stream_options"}}'
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
        (SendResult(400, answered=True, thinking=True), BODY_OF_400, None),
        (SendResult(400, answered=True, probed=True, thinking=True), BAD_SIGNATURE, ResendChange.THINKING),
        (SendResult(400, answered=True), BAD_SIGNATURE, None),
        (SendResult(401, answered=True, fetched_key=True), b"", ResendChange.KEY),
        (SendResult(401, answered=True), b"", None),
        (SendResult(403, answered=True, fetched_key=True), b"", None),
    ],
)
def test_the_same_account_again(sent, body, change):
    """The first table at the top of the file, for both safeties of a body that is in memory; never for another."""
    for safety in ("safe", "maybe_executed"):
        row = choose_resend(sent, safety, body)
        assert (row and row.change) == change
    assert choose_resend(sent, "not_replayable", body) is None
    assert not needs_body(sent, "not_replayable")


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
        ResendChange.KEY: ("upstream_error", ""),
    }


MADE_FALSE = {
    ResendChange.CONNECTION: "reused",
    ResendChange.PROBE: "probed",
    ResendChange.THINKING: "thinking",
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
        fetched_key=st.booleans(),
    ),
    st.sampled_from([b"", BODY_OF_400, BAD_SIGNATURE, BODY_OF_400 + BAD_SIGNATURE]),
)
def test_no_change_follows_itself(sent, body):
    """An upstream that answers the same for ever gets a request once more for each change at most."""
    seen = []
    while (row := choose_resend(sent, "safe", body)) is not None:
        assert row.change not in seen
        seen.append(row.change)
        sent = sent._replace(**{MADE_FALSE[row.change]: False})


def test_faults_of_statuses():
    """4xx other than 401, 403 and 429 are final."""
    found = {status: classify_status(status) for status in (200, 304, 400, 401, 403, 404, 413, 429, 500, 503, 529)}
    assert [status for status, fault in found.items() if fault is None] == [200, 304, 400, 404, 413]
    assert (found[401], found[403], found[429], found[529]) == (
        Fault.AUTH_REJECTED,
        Fault.AUTH_REJECTED,
        Fault.LIMITED,
        Fault.FAILED,
    )


@pytest.mark.parametrize(
    ("fields", "body", "kind", "seconds"),
    [
        ({b"retry-after": b"2"}, b"", "burst", 2.0),
        ({b"retry-after-ms": b"800"}, b"", "burst", 0.8),
        ({b"retry-after": b"2280"}, b"", "window", 2280.0),
        ({b"retry-after": b"1e12"}, b"", "window", 60.0),
        ({}, b"", "window", 60.0),
        ({b"retry-after": b"2"}, b'{"error":{"code":"insufficient_quota"}}', "quota", 600.0),
        ({b"x-ratelimit-remaining-tokens": b"0", b"x-ratelimit-reset-tokens": b"6m0s"}, b"", "window", 360.0),
    ],
)
def test_kinds_of_429(fields, body, kind, seconds):
    """A burst ends in a moment, a window at its reset, a quota with money."""
    cooldown = read_cooldown(fields, body, "")
    assert (cooldown.kind, cooldown.seconds) == (kind, seconds)
    assert cooldown.words.startswith(f"429 {kind}")


def test_429s_of_a_family():
    """A limit that one family of models has used up parks the account for those models alone."""
    prefix = b"anthropic-ratelimit-unified-7d_opus-"
    fields = {
        b"date": b"Thu, 01 Jan 2026 00:00:00 GMT",
        prefix + b"utilization": b"1.03",
        prefix + b"reset": b"1767226500",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"45",
    }
    assert read_cooldown(fields, b"", "opus")[1:] == (900.0, "7d_opus", "opus")
    assert read_cooldown(fields, b"", "haiku")[1:] == (45.0, "tokens", "")


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
