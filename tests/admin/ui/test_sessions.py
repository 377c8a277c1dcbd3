"""Who may see the page's data: codes and tokens, by a clock of the test's own."""

import pytest

from router.admin.ui.sessions import CODE_SECONDS, IDLE_SECONDS, MOST, TOTAL_SECONDS, PageSessions
from router.errors import Unauthenticated


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return PageSessions(clock)


def open_tab(sessions):
    return sessions.exchange(sessions.make_code().encode()).encode()


def refused(sessions, token):
    with pytest.raises(Unauthenticated):
        sessions.check(token)
    return True


def test_a_code_gives_one_token(sessions):
    """A code is exchanged once; what it gives is another secret of 32 random bytes."""
    code = sessions.make_code()
    token = sessions.exchange(code.encode())
    assert len(code) == len(token) == 43
    assert code != token
    sessions.check(token.encode())


@pytest.mark.parametrize("wrong", [b"", b"x", b"a" * 43, "\xe9".encode("latin-1"), b"x" * 100_000])
def test_what_is_no_code(sessions, wrong):
    """Anything else opens nothing, and is no token either."""
    sessions.make_code()
    with pytest.raises(Unauthenticated, match="fairlead ui"):
        sessions.exchange(wrong)
    assert refused(sessions, wrong)


def test_a_code_is_no_token(sessions):
    """The data is opened by tokens alone."""
    assert refused(sessions, sessions.make_code().encode())


def test_a_late_code(sessions, clock):
    """A code that is a minute old opens nothing."""
    code = sessions.make_code()
    clock.now += CODE_SECONDS
    with pytest.raises(Unauthenticated):
        sessions.exchange(code.encode())


def test_a_code_that_comes_again_ends_what_it_opened(sessions):
    """Two who have the same code are one too many: neither has access then; other tabs keep theirs."""
    other = open_tab(sessions)
    code = sessions.make_code().encode()
    token = sessions.exchange(code).encode()
    with pytest.raises(Unauthenticated, match="used before"):
        sessions.exchange(code)
    assert refused(sessions, token)
    sessions.check(other)


def test_an_idle_token_ends(sessions, clock):
    """After 12 hours without a request; each request begins them anew, up to 24 hours."""
    idle, used = open_tab(sessions), open_tab(sessions)
    clock.now += IDLE_SECONDS - 1
    sessions.check(used)
    clock.now += 1
    assert refused(sessions, idle)
    sessions.check(used)
    clock.now += TOTAL_SECONDS - IDLE_SECONDS - 1
    sessions.check(used)
    clock.now += 1
    assert refused(sessions, used)


def test_there_are_few(sessions, clock):
    """Of too many codes the oldest ends, and of too many tokens the one that was used least lately."""
    codes, first = [], open_tab(sessions)
    for _ in range(MOST + 1):
        clock.now += 1
        codes.append(sessions.make_code().encode())
    with pytest.raises(Unauthenticated):
        sessions.exchange(codes[0])
    for code in codes[1:]:
        clock.now += 1
        sessions.exchange(code)
    assert refused(sessions, first)


def test_another_process_knows_none(sessions, clock):
    """Tokens are in memory alone: after the proxy's end they open nothing."""
    token = open_tab(sessions)
    assert refused(PageSessions(clock), token)
