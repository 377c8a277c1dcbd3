"""What may be sent again, where, and when."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.idempotency import nature_of
from router.policy.accounts.retry import (
    BURST_SECONDS,
    LATEST,
    REPEATS,
    STOP,
    Fault,
    Standing,
    after,
    fault_of,
    hold_of,
    may_move,
    rank,
    span,
)
from router.wire.calls import call
from router.wire.raw.top_level import peek

FRESH = Standing(others=False, bound=False, repeats=0, several=False, elapsed=1.0, ready=30.0, patience=60.0)


@pytest.mark.parametrize(
    ("nature", "faults"),
    [
        ("free", {*Fault}),
        ("served", {Fault.HALTED, Fault.UNSENT, Fault.REFUSED, Fault.LIMITED, Fault.FOREIGN}),
        ("streamed", {Fault.HALTED, Fault.UNSENT}),
    ],
)
def test_what_may_move(nature, faults):
    """The table at the top of the file."""
    assert {fault for fault in Fault if may_move(fault, nature)} == faults


def test_faults_of_statuses():
    """4xx other than 401, 403 and 429 are final."""
    found = {status: fault_of(status) for status in (200, 304, 400, 401, 403, 404, 413, 429, 500, 503, 529)}
    assert [status for status, fault in found.items() if fault is None] == [200, 304, 400, 404, 413]
    assert (found[401], found[403], found[429], found[529]) == (
        Fault.REFUSED,
        Fault.REFUSED,
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
    hold = hold_of(fields, body, "")
    assert (hold.kind, hold.seconds) == (kind, seconds)
    assert hold.words.startswith(f"429 {kind}")


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
    assert hold_of(fields, b"", "opus")[1:] == (900.0, "7d_opus", "opus")
    assert hold_of(fields, b"", "haiku")[1:] == (45.0, "tokens", "")


@pytest.mark.parametrize(
    ("fault", "changes", "burst", "what"),
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
        (Fault.REFUSED, {"several": True}, False, "stop"),
        (Fault.UNSENT, {"others": True, "elapsed": LATEST}, False, "stop"),
    ],
)
def test_steps(fault, changes, burst, what):
    """Next account, chain, queue; one account alone is left to the client's own retries."""
    assert after(fault, "free", FRESH._replace(**changes), burst=burst).what == what


def test_delays_have_jitter():
    """Requests that failed together do not come back together."""
    moved = FRESH._replace(several=True)
    delays = {after(Fault.FAILED, "free", moved, jitter=part / 10).delay for part in range(11)}
    assert len(delays) == 11
    assert 0.5 <= min(delays) < max(delays) <= 1.0


@given(
    st.sampled_from(list(Fault)),
    st.sampled_from(["free", "served", "streamed"]),
    st.builds(
        Standing,
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
def test_never_too_often_nor_too_late(fault, nature, standing, burst, jitter):
    """Nothing is sent again that may not be, after LATEST seconds, or more than REPEATS times to one account."""
    step = after(fault, nature, standing, burst=burst and fault is Fault.LIMITED, jitter=jitter)
    if step != STOP:
        assert may_move(fault, nature)
        assert standing.elapsed < LATEST
    if step.what == "again":
        assert standing.repeats < REPEATS
    if step.what == "move":
        assert standing.others
    assert 0 <= step.delay <= max(BURST_SECONDS, 4.0)


def nature(path, body=b"", method="POST"):
    return nature_of(call(path), method, peek(body) if body else None)


CODEX = b'{"model":"m","store":false,"input":"x","tools":[%b]}'


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/messages", b'{"model":"m","tools":[{"type":"web_search_20250305"}]}', "free"),
        ("/v1/messages/count_tokens", b'{"model":"m"}', "free"),
        ("/v1/chat/completions", b'{"model":"m","store":true}', "free"),
        ("/v1/completions", b'{"model":"m"}', "free"),
        ("/v1/embeddings", b'{"model":"m"}', "free"),
        ("/v1/responses", CODEX % b"", "free"),
        ("/v1/responses", CODEX % b'{"type":"function","name":"f"},{"type":"custom"},{"type":"namespace"}', "free"),
        ("/v1/responses", CODEX % b'{"type":"tool_search","execution":"client"}', "free"),
        ("/v1/responses", CODEX % b'{"type":"web_search"}', "served"),
        ("/v1/responses", CODEX % b'{"type":"something_new"}', "served"),
        ("/v1/responses", b'{"model":"m","input":"x"}', "served"),
        ("/v1/responses", b'{"model":"m","store":true}', "served"),
        ("/v1/responses", b'{"model":"m","store":false,"background":true}', "served"),
        ("/v1/responses", b'{"model":"m","store":false,"previous_response_id":"resp_1"}', "served"),
        ("/v1/responses", b'{"model":"m","store":false,"previous_response_id":null}', "free"),
        ("/v1/files", b'{"a":1}', "served"),
        ("/v1/batches", b'{"a":1}', "served"),
        ("/v1/images/generations", b'{"model":"m"}', "served"),
    ],
)
def test_natures(path, body, expected):
    """What a model writes is free to be sent again, unless it leaves traces."""
    assert nature(path, body) == expected


def test_natures_of_methods():
    """What only reads is free; what deletes is not; a body that was not kept cannot be sent again."""
    assert [nature("/v1/files/f", method=one) for one in ("GET", "HEAD", "DELETE", "PUT")] == [
        "free",
        "free",
        "served",
        "served",
    ]
    assert nature_of(call("/v1/files"), "POST", None, kept=False) == "streamed"


def test_the_most_telling_error():
    """When it works again, what to mend, what happened; the upstream's words before ours."""
    order = [
        rank(status, own=own) for status, own in ((429, False), (401, False), (403, False), (529, False), (504, True))
    ]
    assert order == sorted(order)
    assert all(a < b for a, b in itertools.pairwise(order))


def test_spans():
    """As people say them."""
    assert [span(one) for one in (1.5, 8.0, 38.2, 2280.0, 18_000.0, 300_000.0)] == [
        "1.5 s",
        "8 s",
        "38 s",
        "38 min",
        "5 h",
        "3 days",
    ]
