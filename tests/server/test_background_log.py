"""The log of a proxy in the background."""

import os
import sys

import pytest

from router.errors import CommandError
from router.server.background_log import NAME, BackgroundLog, open_log

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is emptied there")


@pytest.fixture
def standard_streams():
    """Standard output and error, as they were before."""
    kept = os.dup(1), os.dup(2)
    yield
    for number, copy in zip((1, 2), kept, strict=True):
        os.dup2(copy, number)
        os.close(copy)


def redirect(home):
    log = open_log(home)
    os.dup2(log, 2)
    os.close(log)


def test_a_full_log_is_set_aside(home, standard_streams):
    """Over its limit it is renamed, with mode 600, and a new one is begun; below it nothing happens."""
    redirect(home)
    log = BackgroundLog(home, limit=10)
    os.write(2, b"few\n")
    log.trim()
    assert home.at(NAME).read_bytes() == b"few\n"
    os.write(2, b"many more\n")
    log.trim()
    os.write(2, b"new\n")
    os.write(1, b"both\n")
    assert home.at(f"{NAME}.1").read_bytes() == b"few\nmany more\n"
    assert home.at(NAME).read_bytes() == b"new\nboth\n"
    assert home.at(NAME).stat().st_mode & 0o777 == 0o600


def test_two_proxies_write_one_log(home, standard_streams):
    """Who finds the log renamed by another proxy goes on in the new one, and renames nothing."""
    redirect(home)
    os.write(2, b"long enough\n")
    home.at(NAME).rename(home.at(f"{NAME}.1"))
    os.close(open_log(home))
    BackgroundLog(home, limit=10).trim()
    os.write(2, b"here\n")
    assert home.at(NAME).read_bytes() == b"here\n"
    assert home.at(f"{NAME}.1").read_bytes() == b"long enough\n"


def test_a_removed_home_is_not_made_again(home, standard_streams):
    """A home that is gone stays gone."""
    redirect(home)
    home.at(NAME).unlink()
    home.path.rmdir()
    BackgroundLog(home, limit=0).trim()
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "is not a plain file"),
        (os.mkdir, "is not a plain file"),
        (lambda path: path.symlink_to("elsewhere"), "is a link"),
    ],
)
def test_what_is_no_log(home, make, said):
    """A FIFO, which would hold up who opens it, a folder or a link in its place is an error that says so."""
    make(home.at(NAME))
    with pytest.raises(CommandError, match=said):
        open_log(home)
