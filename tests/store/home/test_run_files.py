"""Run files: finding the proxies of a home."""

import os
import subprocess
import sys

import msgspec
import pytest

from router.store.home import processes, run_files


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


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="runs a process of another user")
def test_other_users_process_is_not_the_proxy(home):
    """A number that was given to another user's process since is no proxy of this home; its run file is removed."""
    with subprocess.Popen(["sleep", "60"], user=65534) as other:
        try:
            run_files.write(home, run(3456, pid=other.pid))
            assert run_files.live(home) == []
            assert home.names("run", ".json") == []
        finally:
            other.kill()


def test_number_that_lives_again_is_another_process(home):
    """A run file tells when its process began: a later one of the same number is not the proxy."""
    born = processes.find_birth(os.getpid())
    assert born
    run_files.write(home, msgspec.structs.replace(run(3456), born=born))
    assert [entry.port for entry in run_files.live(home)] == [3456]
    run_files.write(home, msgspec.structs.replace(run(3456), born=born + "1"))
    assert run_files.live(home) == []


def test_run_file_of_an_older_version_is_read(home):
    """It has neither the beginning of the process nor a URL with an address."""
    home.write(
        "run/3456.json",
        msgspec.json.encode({name: getattr(run(), name) for name in run().__struct_fields__[:4]} | {"started": 1.0}),
    )
    [found] = run_files.live(home)
    assert (found.url, found.literal_url, found.born) == ("http://localhost:3456", "", "")
