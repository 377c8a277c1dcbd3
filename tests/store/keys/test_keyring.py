"""The system's keyring, and the error when there is none."""

import sys

import keyring
import pytest
from keyring.errors import KeyringLocked

from router.errors import CommandError
from router.settings import Secret
from router.store.keys import keyring as keys_keyring

from .shelf import in_use


@pytest.fixture
def shelf():
    """The keyring of this process."""
    with in_use() as made:
        yield made


def test_entry_is_kept_and_found(shelf):
    """What is put is what is looked up; an entry that is not there is None."""
    keys_keyring.put("fairlead", "groq", Secret("sk-secret-1"))
    assert keys_keyring.look_up("fairlead", "groq") == Secret("sk-secret-1")
    assert keys_keyring.look_up("fairlead", "other") is None


@pytest.mark.parametrize("text", ["", "two\nlines-secret", "sk-secret é"])
def test_entry_that_is_no_key_is_refused(shelf, text):
    """An entry that no header can carry is named and not shown."""
    shelf.entries["a", "b"] = text
    with pytest.raises(CommandError, match="entry a/b") as refused:
        keys_keyring.look_up("a", "b")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (KeyringLocked("sk-secret"), "the keyring is locked"),
        (RuntimeError("sk-secret"), r"could not be (read|written) \(RuntimeError\)"),
        (OSError("sk-secret"), r"could not be (read|written) \(OSError\)"),
    ],
)
def test_failing_keyring_is_told_without_its_words(shelf, refusal, said):
    """Whatever a keyring raises is one plain error, for reading and for writing."""
    shelf.refusal = refusal
    for call in (lambda: keys_keyring.look_up("a", "b"), lambda: keys_keyring.put("a", "b", Secret("sk-secret"))):
        with pytest.raises(CommandError, match=said) as refused:
            call()
        assert "secret" not in f"{refused.value} {refused.value.hint}"


def test_machine_without_a_keyring():
    """Where no keyring runs, the error says so and names other ways."""
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(CommandError, match="no keyring is available") as refused:
            keys_keyring.look_up("a", "b")
    finally:
        keyring.set_keyring(before)
    assert "--key-file" in refused.value.hint


@pytest.mark.parametrize(("frozen", "install"), [(False, True), (True, False)])
def test_missing_library_is_named_with_its_install(monkeypatch, frozen, install):
    """Without the extra, the error names it, and a command in its place; into a binary nothing can be installed."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    with pytest.raises(CommandError, match="keyring library is not installed") as refused:
        keys_keyring.look_up("a", "b")
    assert ("pip install 'fairlead[keyring]'" in refused.value.hint) is install
    assert "--key-cmd '" in refused.value.hint


def test_entry_is_removed(shelf):
    """Once; one that is not there is no error."""
    keys_keyring.put("fairlead", "login-work", Secret("{}"))
    keys_keyring.remove("fairlead", "login-work")
    keys_keyring.remove("fairlead", "login-work")
    assert shelf.entries == {}
