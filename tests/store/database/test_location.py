"""The history of a home on a network file system lies on this machine, privately, and every command finds it there."""

import os
import stat
import sys
import time

import pytest

from router.store.database import location
from router.store.database.location import locate
from router.store.database.open import Unusable, open_history
from router.store.database.writer import Ledger
from router.store.history import read_requests, reader
from router.store.history.entry import HistoryEntry
from router.store.history.record import History
from router.store.home.home import open_home

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")


@pytest.fixture
def far(home, tmp_path, monkeypatch):
    """The home, on a network; the machine's own state is beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(location, "network_type", lambda path: "nfs4" if path == home.path else "")
    return home


def test_at_home(home):
    """On a disk of this machine it lies in the home, whatever the environment says."""
    assert locate(home, {"XDG_STATE_HOME": "/x"}) == (home.at("history.db"), "", "")


@POSIX
def test_elsewhere(far, tmp_path):
    """It is written and read there, by all alike; the home stays without one, and the folders are private."""
    ledger = Ledger(far, print)
    history = History(ledger, lambda entry: (None, ""), lambda: 30)
    history.add(HistoryEntry(id="req_1", started=time.time(), method="POST", path="/v1/messages"))
    ledger.close(10)
    assert (ledger.problem, ledger.dropped) == (None, 0)
    assert "nfs4" in ledger.elsewhere
    assert str(ledger.path).startswith(str(tmp_path / "state" / "fairlead" / "home-"))
    assert not far.at("history.db").exists()
    folders = (ledger.path.parent, ledger.path.parent.parent)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]
    with reader.open_reader(far) as db:
        assert read_requests.find_request(db, "req_1") is not None


def test_homes_are_told_apart(far, tmp_path, monkeypatch):
    """Two homes on one machine have a history each."""
    other = open_home({"FAIRLEAD_HOME": str(tmp_path / "other")})
    monkeypatch.setattr(location, "network_type", lambda path: "nfs4" if path in (far.path, other.path) else "")
    assert locate(far).path != locate(other).path


@POSIX
@pytest.mark.parametrize("named", ["", "relative", "/far/state"])
def test_the_user_folder_is_far_too(far, monkeypatch, tmp_path, named):
    """Then it is in /var/tmp, under this user's name; a relative path is ignored."""
    monkeypatch.setenv("HOME", "/far/me")
    local = {"/": "", "/var/tmp": ""}
    monkeypatch.setattr(location, "_find_existing", lambda folder: str(folder.parent))
    monkeypatch.setattr(location, "network_type", lambda path: local.get(str(path), "nfs4"))
    assert locate(far, {"XDG_STATE_HOME": named}).path.parts[:4] == ("/", "var", "tmp", f"fairlead-{os.getuid()}")


@POSIX
def test_a_folder_of_others(far, tmp_path):
    """One that others can write in is refused with what mends it, like a home."""
    folder = tmp_path / "state" / "fairlead"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(Unusable, match="chmod 700"):
        open_history(far)
    folder.chmod(0o700)
    open_history(far)[0].close()


def test_nowhere(far, monkeypatch):
    """Without any local folder the error says what to set."""
    monkeypatch.setattr(location, "network_type", lambda path: "nfs4")
    assert "XDG_STATE_HOME=" in locate(far).problem
    with pytest.raises(Unusable) as caught:
        open_history(far)
    assert caught.value.lasting
    with reader.open_reader(far) as db:
        assert db is None


def test_nothing_is_made_by_asking(far, tmp_path):
    """Only a writer creates folders."""
    locate(far)
    with reader.open_reader(far):
        pass
    assert not (tmp_path / "state").exists()
