"""Backends as the operator's API and lists in JSON show them, without keys."""

import msgspec
import pytest

from router.backends import Account, Backend
from router.operator_api.backends import describe_backend

STORED, FROM_ENV = Account("default", "sk-secret"), Account("work", "env:WORK_KEY")


@pytest.mark.parametrize("enabled", [True, False])
def test_stored_backend(enabled):
    """Accounts serve unless the backend is disabled; the source of each key is shown, and no key."""
    accounts = (STORED, FROM_ENV)
    box = Backend(
        name="box", root="https://box.example/v1", protocols=("chat",), accounts=accounts, enabled=enabled, added=1.0
    )
    found = describe_backend(box, {"WORK_KEY": "sk-other"}, ("X-Title",))
    assert (found.enabled, found.headers) == (enabled, ("X-Title",))
    assert [account.serves for account in found.accounts] == [enabled, enabled]
    assert [account.source for account in found.accounts] == ["stored", "env"]
    assert b"sk-" not in msgspec.json.encode(found)
