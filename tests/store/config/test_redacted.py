"""What lists say of backends: words and JSON, and no key."""

import json

import pytest

from router.backends import Account, Backend
from router.store.config import redacted

STORED, FROM_ENV = Account("default", "sk-secret"), Account("work", "env:WORK_KEY")
BOX = Backend(name="box", root="https://box.example/v1", protocols=("chat",), accounts=(STORED, FROM_ENV))


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


@pytest.mark.parametrize("enabled", [True, False])
def test_plain(enabled):
    """The JSON of a backend; its accounts serve, unless it is disabled."""
    backend = Backend(**{name: getattr(BOX, name) for name in BOX.__struct_fields__} | {"enabled": enabled})
    plain = redacted.plain(backend, {"WORK_KEY": "sk-other"}, ("X-Title",))
    assert plain["enabled"] is enabled
    assert plain["headers"] == ["X-Title"]
    assert [account["serves"] for account in plain["accounts"]] == [enabled, enabled]
    assert [account["source"] for account in plain["accounts"]] == ["stored", "env"]
    assert "sk-" not in json.dumps(plain)


def test_problem_of():
    """A variable that is not set, a reference that is none; what must be fetched is not fetched for a list."""
    assert redacted.problem_of(FROM_ENV, {}) == "$WORK_KEY is not set."
    assert "is not ASCII" in redacted.problem_of(FROM_ENV, {"WORK_KEY": "sk secret"})
    assert "is no JSON list" in redacted.problem_of(Account("a", "cmd:x"), {})
    for account in (STORED, Account("a", 'cmd:["false"]'), Account("a", "file:/not/there")):
        assert redacted.problem_of(account, {}) is None
