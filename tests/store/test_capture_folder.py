"""Captured bodies: private files without secrets, bounded in size, number and time."""

import os
import stat
import sys
import time

import pytest

from router.store.captures import folder as captures
from router.store.captures.armed import ANY, arm
from router.store.captures.folder import TOGETHER, Captures, folder, path_of, sweep
from router.store.captures.format import Body, Capture, Meta, RequestLine, decode

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


def made(home, *, on=True):
    return Captures(home, lambda body: body.decode().replace("hunter2", "[redacted]"), lambda: on)


def empty(redact):
    """A capture of nothing."""
    return Capture(meta=Meta(schema=2, id="req_1"))


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
    """One private file a request, made by the writing thread with the function that removes secrets."""
    captured = made(home)
    assert captured.begin()

    def make(redact):
        return Capture(
            meta=Meta(schema=2, id="req_1", time=1.5), request=RequestLine(body=Body(text=redact(b'{"k":"hunter2"}')))
        )

    captured.add("req_1", make)
    captured.start()
    captured.close()
    path = path_of(home, "req_1")
    found = decode(path.read_bytes())
    assert (found.meta.schema, found.meta.id, found.meta.time) == (2, "req_1", 1.5)
    assert found.request.body.text == '{"k":"[redacted]"}'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_both_forms_are_found(home):
    """The file of an older fairlead too; the newer form first."""
    home.at("captures").mkdir(mode=0o700)
    home.at("captures/req_1.json").write_bytes(b"{}")
    assert path_of(home, "req_1").suffix == ".json"
    home.at("captures/req_1.jsonl").write_bytes(b"{}")
    assert path_of(home, "req_1").suffix == ".jsonl"


def test_so_many_at_a_time(home):
    """From the arrival to the file a request takes a place; one more is served, not captured, and counted."""
    captured = made(home)
    assert [captured.begin() for _ in range(TOGETHER + 1)] == [True] * TOGETHER + [False]
    assert captured.dropped == 1
    for number in range(TOGETHER):
        captured.add(f"req_{number}", empty)
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
    captured.add("req_1", empty)
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


def test_one_of_several_processes_captures_the_next_request(home):
    """Of processes that know of one request to capture, one takes it; what is asked for later is not taken for it."""
    first, second = made(home, on=False), made(home, on=False)
    armed = arm(home, ANY, 60)
    first.arm(armed)
    second.arm(armed)
    assert [one.take_armed("tool") for one in (first, second)] == [True, False]
    again = arm(home, ANY, 60)
    second.arm(armed)
    assert not second.take_armed("tool")
    second.arm(again)
    assert second.take_armed("tool")
