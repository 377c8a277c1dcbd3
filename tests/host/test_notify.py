"""Notifications: the desktop's program gets the text as an argument; without one the terminal's bell rings."""

import os
import sys

import pytest
import trio

from router.host import notify

from ..patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the other systems' programs are their own")


@pytest.fixture
def desktop(tmp_path):
    """A notify-send that keeps its arguments; exit code as its name says."""

    def make(code):
        program = tmp_path / "notify-send"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/said\nexit {code}\n')
        program.chmod(0o755)
        return {"PATH": str(tmp_path)}

    return make


def test_the_desktop_is_told(desktop, tmp_path):
    """Whatever the text is, it is one argument."""
    text = "halted; $(rm -rf x) --help"
    assert trio.run(notify.notify, text, desktop(0))
    assert (tmp_path / "said").read_text().splitlines()[-2:] == ["fairlead", text]


def test_no_desktop(desktop, tmp_path, monkeypatch):
    """The bell rings where there is no such program, or where it fails."""
    rung = []
    monkeypatch.setattr(notify, "_ring_bell", lambda: rung.append(1))
    assert not trio.run(notify.notify, "x", {"PATH": str(tmp_path / "nowhere")})
    assert not trio.run(notify.notify, "x", desktop(1))
    assert len(rung) == 2


def test_the_bell_is_for_terminals(monkeypatch):
    """A log file gets no control character."""
    master, slave = os.openpty()
    read, write = os.pipe()
    saved = os.dup(2)
    try:
        os.dup2(slave, 2)
        notify._ring_bell()
        os.dup2(write, 2)
        notify._ring_bell()
    finally:
        os.dup2(saved, 2)
    os.close(write)
    assert os.read(master, 8) == b"\a"
    assert os.read(read, 8) == b""
    for number in (master, slave, read, saved):
        os.close(number)


def test_a_program_that_hangs(tmp_path, monkeypatch):
    """It is ended when its time is up."""
    program = tmp_path / "notify-send"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(notify, "SECONDS", 0.1)
    monkeypatch.setattr(notify, "_ring_bell", lambda: None)

    async def main():
        with trio.fail_after(PATIENCE / 2):
            return await notify.notify("x", {"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert not trio.run(main)


def test_the_text_is_plain(desktop, tmp_path):
    """What an upstream says is no markup for a notification server, and no escape sequence for a bell's terminal."""
    text = 'over<b onclick="x">\x1b]0;pwned\x07 &amp; \u202eabc'
    assert trio.run(notify.notify, text, desktop(0))
    said = (tmp_path / "said").read_text().splitlines()[-1]
    assert said.isprintable()
    assert not set("<>&") & set(said)
    assert "pwned" in said
