"""Telling processes apart: whose they are, and whether a number stands for the same one still."""

import os
import subprocess
import sys

import pytest

from router.store.home import processes


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_own_process_is_alive(ended):
    """A process number tells whether its process exists."""
    assert processes.alive(os.getpid())
    assert not processes.alive(ended)
    assert not processes.alive(0)
    assert not processes.alive(-1)
    assert not processes.alive(1 << 70)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="runs a process of another user")
def test_other_users_process_is_none_of_ours():
    """Whether this user may signal it, as root may, or not."""
    with subprocess.Popen(["sleep", "60"], user=65534) as other:
        try:
            assert not processes.alive(other.pid)
            if (child := os.fork()) == 0:
                # An unprivileged user, whom the system refuses to signal either of the two.
                os.setuid(1)
                os._exit(processes.alive(other.pid) or processes.alive(1))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            other.kill()


def test_each_process_has_a_birth_of_its_own(ended):
    """The same one at each look; none for a process that is gone."""
    born = processes.find_birth(os.getpid())
    assert born
    assert processes.find_birth(os.getpid()) == born
    assert processes.find_birth(ended) == ""
    assert processes.is_same(os.getpid(), born)
    assert processes.is_same(os.getpid(), "")
    assert not processes.is_same(os.getpid(), "another")
    assert not processes.is_same(ended, "")


@pytest.mark.skipif(sys.platform != "linux", reason="the states of proc(5)")
def test_process_that_nobody_waited_for_has_ended():
    """Its number is in use until its parent waits."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.stdout.read()
    process.stdout.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.alive(process.pid)
    process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the form of proc(5)")
def test_process_name_with_brackets_is_read(tmp_path):
    """A process may name itself so that it looks like the fields behind the name."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_text("7 (a) S 1 (b)) S " + " ".join(str(at) for at in range(4, 40)))
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("boot\n")
    assert processes._read_linux_birth(7, tmp_path) == "boot 22"
