"""Logins at rest: in a private file, or the tokens in the keyring; never lost between the two."""

import json
import stat
import sys

import msgspec
import pytest
from keyring.errors import NoKeyringError

from router.errors import CommandError
from router.store.keys import logins
from router.store.keys.logins import Login, Tokens

from .shelf import in_use

TOKENS = Tokens("at-secret", "rt-secret", 1000.0, 3600.0, "cs-secret")
LOGIN = Login(name="work", issuer="https://login.example", client_id="id", token_endpoint="https://t", tokens=TOKENS)
NEW = msgspec.structs.replace(LOGIN, tokens=Tokens("at-new", "rt-new"))


@pytest.fixture
def shelf():
    """The keyring of this process."""
    with in_use() as made:
        yield made


def content(home):
    return home.at("logins/work.json").read_text()


def test_file_is_private_and_read_back(home):
    """Mode 0600 in a folder of 0700; what was written is what is read; the repr shows no token."""
    assert logins.save_login(home, LOGIN, use_keyring=False) == LOGIN
    assert logins.read_login(home, "work") == LOGIN
    assert logins.list_names(home) == ["work"]
    if sys.platform != "win32":
        assert stat.S_IMODE(home.at("logins/work.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(home.at("logins").stat().st_mode) == 0o700
    assert "secret" not in repr(LOGIN)
    assert logins.read_login(home, "other") is None


def test_keyring_has_the_tokens(home, shelf):
    """The file has none of the secrets then; each login has an entry of its own, also in two homes."""
    stored = logins.save_login(home, LOGIN, use_keyring=True)
    assert "secret" not in content(home)
    assert logins.read_login(home, "work") == stored
    assert stored.tokens == TOKENS
    assert list(shelf.entries) == [("fairlead", stored.entry)]
    assert logins.save_login(home, LOGIN, use_keyring=True).entry != stored.entry
    assert len(shelf.entries) == 1


def test_new_tokens_go_where_the_old_ones_were(home, shelf):
    """A rotation keeps the entry, and does not touch the file."""
    stored = logins.save_login(home, LOGIN, use_keyring=True)
    assert logins.put_tokens(msgspec.structs.replace(stored, tokens=NEW.tokens))
    assert logins.read_login(home, "work").tokens == NEW.tokens
    assert "new" not in content(home)


@pytest.mark.parametrize("how", ["none", "forgetful", "narrow"])
def test_a_keyring_that_keeps_nothing_is_passed_over(home, shelf, how, monkeypatch):
    """None there, one that loses what it is given, and one with a limit as Windows has it: the file has the tokens."""

    def forget(service, user, text):
        pass

    def refuse(service, user, text):
        raise OSError("1783 stub received bad data")

    if how == "none":
        shelf.refusal = NoKeyringError()
    else:
        monkeypatch.setattr(shelf, "set_password", forget if how == "forgetful" else refuse)
    stored = logins.save_login(home, LOGIN, use_keyring=True)
    assert (stored.entry, shelf.entries) == ("", {})
    assert logins.read_login(home, "work") == LOGIN


def test_a_keyring_that_fails_says_so(home, shelf):
    """Whoever writes new tokens then keeps them in the file."""
    stored = logins.save_login(home, LOGIN, use_keyring=True)
    shelf.refusal = RuntimeError("locked")
    assert not logins.put_tokens(stored)
    logins.save_record(home, msgspec.structs.replace(NEW, entry=""))
    assert logins.read_login(home, "work") == NEW


def test_record_is_written_without_the_keyring(home, shelf):
    """That a login has ended is known also where the keyring cannot be asked."""
    stored = logins.save_login(home, LOGIN, use_keyring=True)
    shelf.refusal = RuntimeError("locked")
    logins.save_record(home, msgspec.structs.replace(stored, ended="invalid_grant"))
    assert logins.read_record(home, "work").ended == "invalid_grant"
    with pytest.raises(CommandError, match="`fairlead login work --no-keyring` keeps them in a file"):
        logins.read_login(home, "work")


def test_lost_entry_is_told(home, shelf):
    """Someone removed the keyring's entry."""
    logins.save_login(home, LOGIN, use_keyring=True)
    shelf.entries.clear()
    with pytest.raises(CommandError, match="does not hold the tokens of the login work") as caught:
        logins.read_login(home, "work")
    assert caught.value.hint == "Log in again:   fairlead login work"


def test_removal_takes_the_entry_along(home, shelf):
    """Nothing stays of it."""
    logins.remove_login(home, logins.save_login(home, LOGIN, use_keyring=True))
    assert (shelf.entries, logins.list_names(home)) == ({}, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[" * 100_000,
        '{"name":"work","issuer":"x","tokens":{"access":""}}',
        '{"name":"other","issuer":"x","tokens":{"access":"a"}}',
        '{"name":"work","issuer":"x","tokens":{"access":5}}',
        '{"name":"work","issuer":"x","tokens":{"access":"a"},"client_auth":"mtls"}',
    ],
)
def test_broken_files_are_told(home, text):
    """File and remedy, and none of its content."""
    home.write("logins/work.json", text.encode())
    with pytest.raises(CommandError, match="holds no login") as caught:
        logins.read_login(home, "work")
    assert "fairlead login work" in caught.value.hint


def test_a_newer_file_is_refused(home):
    """Its meaning may differ."""
    logins.save_login(home, LOGIN, use_keyring=False)
    fields = {**json.loads(content(home)), "schema": 2}
    home.write("logins/work.json", json.dumps(fields).encode())
    with pytest.raises(CommandError, match="newer fairlead"):
        logins.read_login(home, "work")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize("how", ["wide", "link", "folder"])
def test_files_that_others_could_read_are_refused(home, tmp_path, how):
    """A wider mode, a link in its place, a folder others can write in: named, not repaired."""
    logins.save_login(home, LOGIN, use_keyring=False)
    path = home.at("logins/work.json")
    if how == "wide":
        path.chmod(0o644)
    elif how == "link":
        path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
    else:
        path.parent.chmod(0o777)
    with pytest.raises(CommandError, match="logins"):
        logins.read_login(home, "work")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "-x", "x" * 65, "status", "Logout", "a.b"])
def test_names_that_are_refused(name):
    """They are file names, parts of references, and not those of commands."""
    with pytest.raises(CommandError):
        logins.check_name(name)


def test_two_hold_the_lock_one_after_the_other(home, monkeypatch):
    """It is not the home's own lock, and who waits for it in vain is told."""
    monkeypatch.setattr(logins, "LOCK_PATIENCE", 0.1)
    told = pytest.raises(CommandError, match=r"another fairlead command holds .*\.work\.lock")
    with logins.lock(home, "work"), home.lock(), logins.lock(home, "other"), told:
        logins.lock(home, "work").__enter__()
    with logins.lock(home, "work"):
        assert logins.list_names(home) == []
