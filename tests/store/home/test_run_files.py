"""Run files: finding the proxies of a home."""

import os
import subprocess
import sys

import pytest

from router.store.home import run_files


def run(port=3456, pid=None, started=1.0):
    pid = os.getpid() if pid is None else pid
    return run_files.Run(pid=pid, url=f"http://localhost:{port}", port=port, version="0.1.0", started=started)


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_live_proxies_are_found_newest_first(home):
    """Every proxy whose process exists is found, the newest first."""
    run_files.write(home, run(3456, started=1.0))
    run_files.write(home, run(3457, started=2.0))
    assert [(entry.port, entry.url) for entry in run_files.live(home)] == [
        (3457, "http://localhost:3457"),
        (3456, "http://localhost:3456"),
    ]


def test_what_a_crash_left_is_removed(home, ended):
    """The run file of a process that is gone, and one that cannot be read, are removed."""
    run_files.write(home, run(3456, pid=ended))
    home.write("run/3457.json", b"{")
    assert run_files.live(home) == []
    assert home.names("run", ".json") == []


def test_only_the_own_run_file_is_removed(home):
    """A proxy that ends leaves the run file of the one that took its port since."""
    run_files.write(home, run(3456, pid=1))
    run_files.remove(home, 3456)
    assert home.names("run", ".json") == ["3456"]
    run_files.write(home, run(3456))
    run_files.remove(home, 3456)
    assert home.names("run", ".json") == []


def test_other_machines_proxy_is_left_alone(home):
    """In a home shared with a container, its proxy is neither used nor removed: its process number means nothing."""
    run_files.write(home, run(3456))
    text = home.read("run/3456.json")
    own = run_files.live(home)[0].machine
    home.write("run/3456.json", text.replace(own.encode(), b"another-machine"))
    assert run_files.live(home) == []
    assert home.names("run", ".json") == ["3456"]


def test_own_process_is_alive(ended):
    """A process number tells whether its process exists."""
    assert run_files.alive(os.getpid())
    assert not run_files.alive(ended)
    assert not run_files.alive(0)
    assert not run_files.alive(-1)
    assert not run_files.alive(1 << 70)
