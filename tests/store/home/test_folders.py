"""Files of the home are reached through folders that were opened once: links and swapped folders lead nowhere."""

import os
import sys

import pytest

from router.errors import CommandError
from router.store.database.location import Location
from router.store.history import reader
from router.store.history.reader import open_reader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors and links")
root = pytest.mark.skipif(sys.platform != "win32" and os.getuid() != 0, reason="only root can give a folder away")


def swap(home):
    """What an owner of the folder above can do: put a folder of their own in the place of the home."""
    home.path.rename(home.path.with_name("moved"))
    home.path.mkdir(mode=0o700)


ACTS = {
    "write": lambda home: home.write("backends/a.json", b"key"),
    "write at the top": lambda home: home.write("config.toml", b"x = 1"),
    "read": lambda home: home.read("operator.token"),
    "remove": lambda home: home.remove("operator.token"),
    "create": lambda home: home.create("captures/a.json", b"body"),
    "token": lambda home: home.token("client.key"),
}


@pytest.mark.parametrize("act", ACTS)
def test_swapped_home_is_not_used(home, act):
    """A process goes on in the folder that it opened, or not at all: nothing is written to the other."""
    home.write("operator.token", b"x" * 43)
    swap(home)
    (home.path / "operator.token").touch(mode=0o600)
    with pytest.raises(CommandError, match="was replaced by another folder"):
        ACTS[act](home)
    left = {path.name for path in home.path.rglob("*") if path.is_file()}
    assert left == {"operator.token"}


@root
@pytest.mark.parametrize("act", ["write", "create"])
def test_folder_of_another_user_is_not_used(home, act):
    """Nor is one in the home that others may write in."""
    for name in ("backends", "captures"):
        home.at(name).mkdir()
        os.chown(home.at(name), 65534, 65534)
    with pytest.raises(CommandError, match="belongs to"):
        ACTS[act](home)


@pytest.mark.parametrize("act", ["write", "create"])
def test_link_in_a_folders_place_is_not_followed(home, tmp_path, act):
    """What it points to stays empty."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    for name in ("backends", "captures"):
        home.at(name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommandError, match="is a link"):
        ACTS[act](home)
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_link_in_a_new_files_place_is_not_followed(home, tmp_path):
    """A file that is to be new is not written through a link, dangling or not; a replaced file replaces the link."""
    target = tmp_path / "target"
    home.at("captures").mkdir(mode=0o700)
    home.at("captures/a.json").symlink_to(target)
    with pytest.raises(FileExistsError):
        home.create("captures/a.json", b"body")
    home.at("config.toml").symlink_to(target)
    home.write("config.toml", b"x = 1")
    assert not target.exists()
    assert home.read("config.toml") == b"x = 1"


def test_pipe_in_a_tokens_place_is_not_waited_for(home):
    """Where a token is only compared."""
    os.mkfifo(home.at("client.key"), 0o600)
    assert home.peek("client.key") is None
    home.at("client.key").unlink()
    home.at("client.key").symlink_to("/etc/passwd")
    assert home.peek("client.key") is None


@pytest.mark.parametrize("name", [".lock", "history.db", "history.db-wal", "history.db-shm"])
def test_link_in_a_data_files_place_is_refused(home, tmp_path, name):
    """SQLite and the lock would be led to a file elsewhere."""
    (tmp_path / "target").write_bytes(b"")
    home.at(name).symlink_to(tmp_path / "target")
    with pytest.raises(CommandError), home.lock() if name == ".lock" else open_reader(home):
        pass
    assert (tmp_path / "target").read_bytes() == b""


@root
@pytest.mark.parametrize("name", [".lock", "history.db", "history.db-wal"])
def test_data_file_of_another_user_is_refused(home, name):
    """They could hold the lock for ever, or write what commands show."""
    home.at(name).touch(mode=0o600)
    os.chown(home.at(name), 65534, 65534)
    with pytest.raises(CommandError, match="belongs to"), home.lock() if name == ".lock" else open_reader(home):
        pass


@root
def test_local_state_of_another_user_is_not_read(home, tmp_path, monkeypatch):
    """The history of a home on a network may be in /var/tmp, where anybody can make the folder first."""
    folder = tmp_path / "fairlead-0" / "home-1"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "history.db").touch(mode=0o600)
    monkeypatch.setattr(reader, "locate", lambda _: Location(folder / "history.db", "on a network"))
    os.chown(folder.parent, 65534, 65534)
    with pytest.raises(CommandError, match="belongs to"), open_reader(home):
        pass
