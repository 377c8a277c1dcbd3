"""Notifications: the desktop's program gets the text as an argument; without one the terminal's bell rings."""

import os
import sys

import pytest
import trio
import trio.testing

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


class Screen:
    """Keeps what is shown, on a clock that a test sets."""

    def __init__(self, *wanted):
        self.shown, self.now = [], 0.0
        self.notifier = notify.Notifier(lambda: wanted, show=self.show, clock=lambda: self.now)

    async def show(self, text, *, bell):
        self.shown.append((text, bell))

    def run(self, *told):
        """Tell each of (seconds before it, kind, subject, text); what was shown of it."""

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.notifier.run)
                for seconds, *one in told:
                    self.now += seconds
                    self.notifier.tell(*one)
                    await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()

        trio.run(main)
        return [text for text, _ in self.shown]


def test_only_what_is_wanted_is_shown():
    """Kinds that the user does not want are left out."""
    told = [(0, "halt", "all", "one"), (0, "back", "box", "two")]
    assert Screen("back", "parked").run(*told) == ["two"]
    assert Screen().run(*told) == []


def test_one_of_a_kind_about_a_subject():
    """A second one within REPEAT_SECONDS is left out; another kind, or another subject, is not."""
    screen = Screen("parked", "back")
    told = [
        (0, "parked", "box", "one"),
        (1, "parked", "box", "again"),
        (1, "parked", "far", "two"),
        (1, "back", "box", "three"),
        (notify.REPEAT_SECONDS - 4, "parked", "box", "still again"),
        (1, "parked", "box", "four"),
    ]
    assert screen.run(*told) == ["one", "two", "three", "four"]


def test_notifications_are_bounded(monkeypatch):
    """Of many at once those that have room wait, and only so many subjects are remembered."""
    monkeypatch.setattr(notify, "SUBJECTS_LIMIT", 3)
    screen = Screen("halt")
    for number in range(notify.WAITING_LIMIT + 5):
        screen.notifier.tell("halt", f"key {number}", str(number))
    assert screen.run((0, "halt", "key x", "late")) == [str(number) for number in range(notify.WAITING_LIMIT)]
    assert screen.run(*((0, "halt", f"key {number}", "new") for number in (0, 15)))[notify.WAITING_LIMIT :] == ["new"]


def test_a_notification_without_a_desktop_or_bell(tmp_path, monkeypatch):
    """What is not urgent rings no bell."""
    monkeypatch.setattr(notify, "_ring_bell", lambda: pytest.fail("it rang"))
    assert not trio.run(lambda: notify.notify("x", {"PATH": str(tmp_path)}, bell=False))
