"""The texts of lists for backends, without a key."""

import pytest

from router.backends import Account, Backend
from router.store.config import redacted
from router.store.keys.own_keys import OwnKeys
from router.store.keys.references import describe

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
    assert redacted.credentials(backend, lambda account: describe(account.key, {"WORK_KEY": "sk-other"})) == text


def test_problem_of():
    """A variable that is not set, a malformed reference; a key that must be fetched is not fetched for a list."""
    assert redacted.problem_of(FROM_ENV, {}, OwnKeys()) == "$WORK_KEY is not set."
    assert "is not ASCII" in redacted.problem_of(FROM_ENV, {"WORK_KEY": "sk secret"}, OwnKeys())
    assert "is not a JSON list" in redacted.problem_of(Account("a", "cmd:x"), {}, OwnKeys())
    for account in (STORED, Account("a", 'cmd:["false"]'), Account("a", "file:/not/there")):
        assert redacted.problem_of(account, {}, OwnKeys()) is None


@pytest.mark.parametrize(
    ("key", "alias", "advice"),
    [
        (
            "env:WORK_KEY",
            "first",
            "Start the proxy from a shell that has the provider's key, or store it: fairlead backend add x --key-stdin",
        ),
        ("sk-1", "first", "Store the provider's key: fairlead backend add x --key-stdin"),
        ("sk-1", "more", "fairlead accounts remove x more, then fairlead accounts add x more --key-stdin"),
        ('cmd:["pass"]', "first", "Correct what gives the key, then try it: fairlead backend test x"),
        ('cmd:["pass"]', "more", "then try it: fairlead backend test x --account more"),
    ],
)
def test_advice(key, alias, advice):
    """What to do about a key that cannot be used depends on where it comes from, and names a command."""
    accounts = (Account("first", key), Account("more", key))
    backend = Backend(name="x", root="https://x.example/v1", protocols=("chat",), accounts=accounts)
    assert advice in redacted.advise_key(backend, alias)
    assert redacted.advise_key(Backend(name="x", root="https://x.example/v1", protocols=(), auth="none"), "none") == ""
