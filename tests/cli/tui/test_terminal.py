"""The real program on a terminal of its own, from its start to the shell's prompt."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from ...patience import PATIENCE

_COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|38|48)[;m]")


class Terminal:
    """A terminal on which `fairlead` runs, and what it wrote there so far."""

    def __init__(self, fairlead, arguments, size, **environ):
        self.here, there = pty.openpty()
        self.resize(*size)
        environ = {"TERM": "xterm-256color", **environ}
        fairlead.forks = False
        self.process = fairlead.begin(arguments, [there] * 3, **environ)
        os.close(there)
        self.said = b""

    def resize(self, columns, lines):
        """Give it another size."""
        fcntl.ioctl(self.here, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys):
        """Type."""
        os.write(self.here, keys.encode())

    def read(self):
        """What it writes, for a moment; False when nobody can write there any more."""
        ready, _, _ = select.select([self.here], [], [], 0.05)
        try:
            data = os.read(self.here, 65_536) if ready else None
        except OSError:
            # Linux answers so when the other end is closed.
            return False
        self.said += data or b""
        return data != b""

    def wait_for(self, text):
        """Wait until it wrote a text, and forget what came up to it."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.said:
            assert self.read(), self.said
            assert time.monotonic() < deadline, self.said
        self.said = self.said.partition(text.encode())[2]

    def wait(self):
        """Its exit code."""
        while self.read():
            pass
        return self.process.wait(PATIENCE)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.here)


@pytest.fixture
def terminal(fairlead):
    """Runs fairlead on a terminal."""
    opened = []

    def run(*arguments, size=(80, 24), **environ):
        opened.append(Terminal(fairlead, arguments, size, **environ))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def test_from_start_to_end(fairlead, terminal):
    """All panes, a filter and the keys on a home without a proxy; q leaves with exit code 0 and the terminal as it
    was."""
    screen = terminal()
    screen.wait_for("\x1b[?1049h")
    screen.wait_for("no proxy is running")
    for key, title in (("2", "[2 Requests]"), ("3", "[3 Analytics]"), ("4", "[4 Accounts]"), ("5", "[5 Backends]")):
        screen.press(key)
        screen.wait_for(title)
    screen.press("6")
    screen.wait_for("timeouts.total")
    # In one go: what follows the key is for the filter.
    screen.press("/idle\r")
    screen.wait_for("/ idle")
    screen.press("?")
    screen.wait_for("leave; the proxy goes on")
    screen.press("q")
    screen.wait_for("[6 Config]")
    screen.press("q")
    screen.wait_for("\x1b[?1049l")
    assert screen.wait() == 0
    assert b"Traceback" not in screen.said


def test_a_proxy_that_runs_is_seen(fairlead, terminal):
    """Its address is in the top line; when it ends, that is said, and the screen stays."""
    proxy = fairlead.start("proxy", "--port", "0")
    screen = terminal(size=(120, 30))
    screen.wait_for("serving the demo alone")
    screen.wait_for("localhost:")
    proxy.send_signal(signal.SIGTERM)
    proxy.wait(PATIENCE)
    screen.wait_for("no proxy is running")
    screen.press("q")
    assert screen.wait() == 0


def test_ctrl_z_and_back(terminal):
    """The shell gets its terminal, and what was on the screen comes back with the program."""
    screen = terminal()
    screen.wait_for("no proxy is running")
    screen.press("\x1a")
    screen.wait_for("\x1b[?1049l")
    _, status = os.waitpid(screen.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    screen.process.send_signal(signal.SIGCONT)
    screen.wait_for("\x1b[?1049h")
    screen.wait_for("no proxy is running")
    screen.press("q")
    assert screen.wait() == 0


def test_ctrl_c_leaves(terminal):
    """As every program on a terminal does."""
    screen = terminal()
    screen.wait_for("no proxy is running")
    screen.press("\x03")
    assert screen.wait() == 0


def test_no_color_sends_no_colour(terminal):
    """Not one sequence that sets a colour; with colours there are some, else this would pass for nothing."""
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        screen = terminal(**environ)
        screen.wait_for("\x1b[?1049h")
        while b"no proxy is running" not in screen.said:
            assert screen.read()
        assert bool(_COLOUR.search(screen.said)) is coloured
        screen.press("q")
        assert screen.wait() == 0


def test_a_small_terminal_and_another_size(terminal):
    """20x5 shows what fits, and it follows a change of the size."""
    screen = terminal(size=(20, 5))
    screen.wait_for("fairlead")
    screen.press("2")
    screen.resize(100, 30)
    screen.process.send_signal(signal.SIGWINCH)
    screen.wait_for("[2 Requests]")
    screen.press("q")
    assert screen.wait() == 0


def test_without_terminals_it_is_the_overview(fairlead):
    """One stream that is none suffices: exit code 2, as before."""
    found = fairlead()
    assert found.code == 2
    assert "usage: fairlead COMMAND" in found.out
    here, there = pty.openpty()
    for place in range(3):
        streams = [there] * 3
        reading, writing = os.pipe()
        streams[place] = reading if place == 0 else writing
        fairlead.forks = False
        process = fairlead.begin([], streams, TERM="xterm")
        assert process.wait(PATIENCE) == 2
        os.close(reading)
        os.close(writing)
    os.close(there)
    os.close(here)


def test_a_dumb_terminal_gets_the_overview(fairlead, terminal):
    """It could not draw the screen."""
    screen = terminal(TERM="dumb")
    screen.wait_for("usage: fairlead COMMAND")
    assert screen.wait() == 2


def test_plain_is_a_line_per_request(fairlead):
    """`--plain` goes on as `log -f` does, in a pipe too; other options are refused."""
    reading, writing = os.pipe()
    with open(os.devnull, "rb") as nothing:
        process = fairlead.begin(["--plain"], [nothing.fileno(), writing, writing])
    os.close(writing)
    said = b""
    while b"No proxy is running" not in said:
        said += os.read(reading, 4096)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    os.close(reading)
    assert fairlead("--no-mouse").code == 2
    assert "needs a terminal" in fairlead("--no-mouse").err
    assert "has no option --bogus" in fairlead("--plain", "--bogus").err
