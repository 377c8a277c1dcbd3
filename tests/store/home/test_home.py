"""The home folder: its permissions, and files that are written whole."""

import os
import stat
import sys
import threading

import pytest

from router.errors import CommandError
from router.store.home.home import Home, open_home

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_home_is_made_private(home):
    """A new home, its folders and its files belong to this user alone."""
    home.write("backends/a.json", b"{}")
    home.token("operator.token")
    assert mode(home.path) == mode(home.at("backends")) == 0o700
    assert mode(home.at("backends/a.json")) == mode(home.at("operator.token")) == 0o600


def test_home_is_in_the_users_folder_unless_named(tmp_path, monkeypatch):
    """Without FAIRLEAD_HOME the home is ~/.fairlead."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert open_home({}).path == tmp_path / ".fairlead"


def test_relative_home_is_refused():
    """A relative FAIRLEAD_HOME would mean another home in each folder."""
    with pytest.raises(CommandError, match='"here"; expected an absolute path'):
        open_home({"FAIRLEAD_HOME": "here"})


@posix
@pytest.mark.parametrize("wide", [0o770, 0o702])
def test_home_others_can_write_is_refused(home, wide):
    """A home that others could change is refused with the command that closes it."""
    home.path.chmod(wide)
    with pytest.raises(CommandError, match="can be changed by other users") as refused:
        open_home({"FAIRLEAD_HOME": str(home.path)})
    assert refused.value.hint == f"Close it:   chmod 700 {home.path}"


@posix
@pytest.mark.skipif(sys.platform != "win32" and os.getuid() != 0, reason="only root can give a folder away")
def test_home_of_somebody_else_is_refused(home):
    """A home that another user owns is refused; another can be named."""
    os.chown(home.path, 65534, 65534)
    with pytest.raises(CommandError, match="belongs to") as refused:
        open_home({"FAIRLEAD_HOME": str(home.path)})
    assert "Use a folder of your own" in refused.value.hint


def test_home_that_is_a_file_is_refused(tmp_path):
    """A file in the home's place is named, not overwritten."""
    (tmp_path / "home").write_text("mine")
    with pytest.raises(CommandError, match="is not a folder"):
        open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    assert (tmp_path / "home").read_text() == "mine"


@posix
def test_home_may_be_a_link_to_a_private_folder(tmp_path):
    """A home that is a link of this user's to a folder of this user's is fine: data disks are used so."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "home").symlink_to(tmp_path / "real")
    assert open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}).read("none") is None


@posix
@pytest.mark.parametrize("wide", [0o640, 0o604, 0o666])
def test_secret_others_can_read_is_refused(home, wide):
    """A secret with a wider mode is refused with the fix, not closed in silence."""
    home.write("operator.token", b"x" * 40)
    home.at("operator.token").chmod(wide)
    with pytest.raises(CommandError, match="can be read by others") as refused:
        home.token("operator.token")
    assert refused.value.hint == f"Close it:   chmod 600 {home.at('operator.token')}"
    assert mode(home.at("operator.token")) == wide


@posix
def test_secret_behind_a_link_is_refused(home, tmp_path):
    """A secret that is a link is refused, whatever it points to."""
    target = tmp_path / "elsewhere"
    target.write_bytes(b"x" * 40)
    target.chmod(0o600)
    home.at("client.key").symlink_to(target)
    with pytest.raises(CommandError, match="is a link") as refused:
        home.token("client.key")
    assert refused.value.hint == f"Put the real one in its place:   mv {target} {home.at('client.key')}"


@posix
def test_folder_behind_a_link_is_refused(home, tmp_path):
    """A folder of secrets that is a link is refused for reading and for writing."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home.at("backends").symlink_to(tmp_path / "elsewhere")
    for act in (lambda: home.read("backends/a.json"), lambda: home.write("backends/a.json", b"")):
        with pytest.raises(CommandError, match="is a link"):
            act()


@posix
def test_pipe_in_a_files_place_is_refused(home):
    """A pipe where a file should be is refused at once instead of being waited for."""
    os.mkfifo(home.at("client.key"), 0o600)
    with pytest.raises(CommandError, match="is not a plain file"):
        home.read("client.key")


def test_file_is_replaced_whole(home):
    """A write replaces the old content and leaves nothing else behind; a failed one changes nothing."""
    home.write("a", b"one")
    home.write("a", b"two")
    assert home.read("a") == b"two"
    home.at("folder").mkdir(mode=0o700)
    with pytest.raises(CommandError, match="cannot be written"):
        home.write("folder", b"three")
    assert sorted(os.listdir(home.path)) == ["a", "folder"]


def test_oversized_file_is_refused(home):
    """A file larger than fairlead writes is not read into memory."""
    home.write("a", b"x" * ((1 << 20) + 1))
    with pytest.raises(CommandError, match="larger than 1 MiB"):
        home.read("a")


def test_names_leave_out_temporary_files(home):
    """Listing a folder shows finished files only."""
    home.write("backends/b.json", b"{}")
    home.write("backends/a.json", b"{}")
    home.write("backends/.a.json.123.tmp", b"{}")
    home.write("backends/.c.json", b"{}")
    assert home.names("backends", ".json") == ["a", "b"]
    assert home.names("nothing", ".json") == []


def test_token_stays_the_same(home):
    """A token is made once, is long, and is not shown by its repr."""
    token = home.token("client.key")
    again = Home(home.path).token("client.key")
    assert token == again
    assert len(token.reveal()) >= 32
    assert token.reveal()[0].isalnum()
    assert token.reveal() not in f"{token} {token!r}"
    assert home.token("operator.token") != token


@pytest.mark.parametrize("content", [b"", b"short\n", b"x" * 300, b"x" * 20 + b"\n" + b"y" * 20])
def test_damaged_token_is_refused(home, content):
    """A token file that holds none is an error with the fix, not an empty key."""
    home.write("client.key", content)
    with pytest.raises(CommandError, match="holds no token") as refused:
        home.token("client.key")
    assert f"rm {home.at('client.key')}" in refused.value.hint


def test_token_made_by_many_at_once_is_one(home):
    """Processes that start together agree on one token."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(Home(home.path).token("client.key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_held_lock_ends_in_an_error(home, monkeypatch):
    """A command does not wait for ever for one that holds the lock, and names the lock's file."""
    monkeypatch.setattr("router.store.home.home.LOCK_PATIENCE", 0.0)
    with home.lock(), pytest.raises(CommandError, match=r"another fairlead command holds .*\.lock"), home.lock():
        pass
    with home.lock():
        pass
