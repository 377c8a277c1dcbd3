"""Captured bodies: private files without secrets, bounded in size, number and time."""

import json
import os
import stat
import sys
import time

import pytest

from router.store.shared import captures
from router.store.shared.captures import BODY_KEPT, BODY_LIMIT, TOGETHER, Capture, Captures, folder, path_of, sweep

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


def made(home, *, on=True):
    return Captures(home, lambda body: body.decode().replace("hunter2", "[redacted]"), lambda: on)


def filled(home, count, *, age=0.0):
    """So many captures of that age."""
    path = home.at("captures")
    path.mkdir(exist_ok=True, mode=0o700)
    for number in range(count):
        file = path / f"req_{age:.0f}x{number}.json"
        file.write_bytes(b"x" * 100)
        os.utime(file, (time.time() - age, time.time() - age))


@POSIX
def test_a_capture(home):
    """One private file a request with both bodies, without secrets; one that is too long is cut and marked as cut."""
    captured = made(home)
    assert captured.begin()
    captured.add(Capture("req_1", 1.5, b'{"k":"hunter2"}', b"x" * BODY_KEPT))
    captured.start()
    captured.close()
    path = path_of(home, "req_1")
    found = json.loads(path.read_bytes())
    assert (found["schema"], found["id"], found["time"]) == (1, "req_1", 1.5)
    assert (found["request"], found["request_cut"]) == ('{"k":"[redacted]"}', False)
    assert (len(found["answer"]), found["answer_cut"]) == (BODY_LIMIT, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_so_many_at_a_time(home):
    """From the arrival to the file a request takes a place; one more is served, not captured, and counted."""
    captured = made(home)
    assert [captured.begin() for _ in range(TOGETHER + 1)] == [True] * TOGETHER + [False]
    assert captured.dropped == 1
    for number in range(TOGETHER):
        captured.add(Capture(f"req_{number}", 0.0, b"{}", b""))
    captured.start()
    captured.close()
    assert captured.begin()
    assert sweep(home) == TOGETHER


def test_a_day(home):
    """Older ones are removed by a proxy or a command; those from before the clock was set back too."""
    filled(home, 3, age=24 * 3600 + 60)
    filled(home, 2, age=24 * 3600 - 60)
    filled(home, 1, age=-10 * 24 * 3600)
    assert sweep(home) == 2
    assert len(list(home.at("captures").iterdir())) == 2


def test_what_was_left_behind(home):
    """A proxy that captures nothing removes old ones, and the folder once it is empty."""
    filled(home, 3, age=25 * 3600)
    captured = made(home, on=False)
    captured.start()
    end = time.monotonic() + 10
    while folder(home) is not None and time.monotonic() < end:
        time.sleep(0.01)
    captured.close()
    assert folder(home) is None


def test_off_is_nothing(home):
    """No folder, no thread."""
    captured = made(home, on=False)
    captured.start()
    captured.close()
    assert not home.at("captures").exists()
    assert captured._thread is None


def test_all_together_are_bounded(home, monkeypatch):
    """The oldest make room."""
    monkeypatch.setattr(captures, "FOLDER_BYTES", 350)
    filled(home, 2, age=100)
    filled(home, 2, age=50)
    assert sweep(home) == 3
    assert sorted(path.name for path in home.at("captures").iterdir())[-2:] == ["req_50x0.json", "req_50x1.json"]


@POSIX
def test_a_link_in_its_place(home, tmp_path):
    """Nothing is written or removed through a link; it is counted and shown as a problem."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").touch()
    os.utime(other / "mine", (0, 0))
    home.at("captures").symlink_to(other)
    captured = made(home)
    captured.begin()
    captured.add(Capture("req_1", 0.0, b"{}", b""))
    captured.start()
    captured.close()
    assert [path.name for path in other.iterdir()] == ["mine"]
    assert captured.dropped == 1
    assert "captures" in captured.problem
    assert path_of(home, "req_1") is None


@pytest.mark.parametrize("name", ["../config", "", "req_1/../../x", "a.b"])
def test_a_name_is_no_path(home, name):
    """Only fairlead's own ids name a file."""
    filled(home, 1)
    assert path_of(home, name) is None
