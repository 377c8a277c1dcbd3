"""The texts of lists for backends, without a key."""

import pytest

from router.backends import Account, Backend
from router.store.config import redacted

STORED, FROM_ENV = Account("default", "sk-secret"), Account("work", "env:WORK_KEY")


@pytest.mark.parametrize(
    ("auth", "accounts", "text"),
    [
        ("client", (), "each tool's own login"),
        ("none", (), "no key"),
        ("key", (), "no key stored"),
        ("key", (STORED,), "key stored"),
        ("key", (FROM_ENV,), "key from $WORK_KEY (set)"),
        ("key", (STORED, FROM_ENV), "default key stored, work key from $WORK_KEY (set)"),
    ],
)
def test_credentials_in_words(auth, accounts, text):
    """Where each key comes from."""
    backend = Backend(name="x", root="https://x.example/v1", protocols=("chat",), auth=auth, accounts=accounts)
    assert redacted.credentials(backend, {"WORK_KEY": "sk-other"}) == text


def test_problem_of():
    """A variable that is not set, a malformed reference; a key that must be fetched is not fetched for a list."""
    assert redacted.problem_of(FROM_ENV, {}) == "$WORK_KEY is not set."
    assert "is not ASCII" in redacted.problem_of(FROM_ENV, {"WORK_KEY": "sk secret"})
    assert "is no JSON list" in redacted.problem_of(Account("a", "cmd:x"), {})
    for account in (STORED, Account("a", 'cmd:["false"]'), Account("a", "file:/not/there")):
        assert redacted.problem_of(account, {}) is None
