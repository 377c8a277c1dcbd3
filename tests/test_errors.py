"""Every error of ours knows its status, its kind, and whether sending the request again can help."""

import inspect

import pytest

from router import errors
from router.errors import CommandError, RouterError, UsageError

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, RouterError)]
RETRYABLE = {
    *("RouterError", "BadGateway", "BudgetBusy", "OutOfCredit", "RateLimited", "Unreachable", "Unavailable"),
    "UpstreamTimeout",
}


def made(kind):
    return kind("no", allow="POST") if kind is errors.WrongVerb else kind("no")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_can_be_answered(kind):
    """A status of an error, a kind, a message, and headers of text."""
    error = made(kind)
    assert 400 <= error.status <= 599
    assert error.kind.isidentifier()
    assert (str(error), error.message, error.retry_after) == ("no", "no", None)
    assert all(isinstance(text, str) for pair in error.headers for text in pair)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_only_what_may_pass_is_retried(kind):
    """SDKs obey x-should-retry: a request that is itself at fault, or goes round, is not worth sending again."""
    assert kind.retryable is (kind.__name__ in RETRYABLE)
    by_status = kind.status == 429 or (kind.status >= 500 and kind.status not in (501, 508))
    assert kind.retryable is (by_status or kind is errors.OutOfCredit)


def test_a_wrong_verb_says_which_are_right():
    """405 has an Allow header (RFC 9110, 15.5.6)."""
    assert errors.WrongVerb("no", allow="GET, HEAD").headers == (("allow", "GET, HEAD"),)


def test_an_error_may_say_when_to_come_back():
    """For the retry-after header."""
    assert errors.Unavailable("no", retry_after=3).retry_after == 3


def test_a_command_s_error_knows_its_exit_code():
    """1 for what failed, 2 for a command line that makes no sense; a hint may follow."""
    assert (CommandError("no").exit_code, UsageError("no").exit_code) == (1, 2)
    assert (CommandError("no").hint, CommandError("no", "do this").hint) == ("", "do this")
