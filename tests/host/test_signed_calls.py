"""Signed requests of operators: for this process and place, of now, and once."""

import pytest

from router.errors import Unauthenticated, Unavailable
from router.host import signed_calls
from router.host.signed_calls import SignedCalls, check_body
from router.net.control.signatures import WINDOW_SECONDS, Place, SignedCall, compute_call, hash_body
from router.settings import Secret

TOKEN, HERE = Secret("t" * 43), Place("127.0.0.1", 3456)


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def checked(clock):
    return SignedCalls(TOKEN, clock)


def signed(checked, moment, nonce="n", body=b""):
    call = SignedCall(str(moment), nonce, hash_body(body), "")
    signature = compute_call(TOKEN, HERE, checked.process, "GET", b"/status", call)
    return call._replace(signature=signature).format().encode()


def check(checked, value):
    return checked.check(value, HERE, "GET", b"/status")


def test_request_is_taken_once(checked, clock):
    """Within the time in which it could be sent again, and after it too."""
    value = signed(checked, clock.now)
    assert check(checked, value).nonce == "n"
    for seconds in (0, 1, 59, 1, 3600):
        clock.now += seconds
        with pytest.raises(Unauthenticated):
            check(checked, value)


def test_request_of_the_future_is_remembered_as_long_as_it_is_of_now(checked, clock):
    """It could be sent again for up to two windows."""
    value = signed(checked, clock.now + WINDOW_SECONDS)
    check(checked, value)
    for _ in range(12):
        clock.now += WINDOW_SECONDS / 6
        with pytest.raises(Unauthenticated, match="answered before"):
            check(checked, value)
    clock.now += 1
    with pytest.raises(Unauthenticated, match="was signed 61 s ago"):
        check(checked, value)


def test_clock_that_is_set_back_opens_nothing(checked, clock):
    """What was taken before stays taken; it is of the future then."""
    value = signed(checked, clock.now)
    check(checked, value)
    for seconds in (-30, -3600, 3570, 3600):
        clock.now += seconds
        with pytest.raises(Unauthenticated):
            check(checked, value)


def test_table_is_bounded_and_forgets_nothing_early(checked, clock, monkeypatch):
    """Full, it refuses further requests until those in it are too old to be sent again."""
    monkeypatch.setattr(signed_calls, "REMEMBERED", 3)
    values = [signed(checked, clock.now, str(at)) for at in range(4)]
    for value in values[:3]:
        check(checked, value)
    with pytest.raises(Unavailable):
        check(checked, values[3])
    for value in values[:3]:
        with pytest.raises(Unauthenticated):
            check(checked, value)
    clock.now += WINDOW_SECONDS + 1
    check(checked, signed(checked, clock.now, "later"))
    assert len(checked._taken) == 1


def test_strangers_fill_no_table(checked, clock):
    """Nothing is kept of a request whose signature is wrong, or whose time is."""
    for at in range(100):
        value = signed(checked, clock.now, str(at))
        with pytest.raises(Unauthenticated):
            checked.check(value, Place("::1", 3456), "GET", b"/status")
        with pytest.raises(Unauthenticated):
            check(checked, signed(checked, clock.now - 61, str(at)))
    assert checked._taken == {}


def test_other_credentials_are_left_alone(checked):
    """A bearer is judged elsewhere."""
    assert check(checked, b"Bearer " + TOKEN.reveal().encode()) is None
    assert check(checked, b"") is None
    check_body(b"Bearer x", b"anything")


def test_body_is_the_one_that_was_signed(checked, clock):
    """To the byte."""
    value = signed(checked, clock.now, body=b"{}")
    check_body(value, b"{}")
    for body in (b"", b"{} ", b"{}\n"):
        with pytest.raises(Unauthenticated, match="is not the one that was signed"):
            check_body(value, body)
