"""A terminal of tmux on which a shell runs, and in it the real program; what it shows is read as a person would see it.

$FAIRLEAD_FRAMES names a folder in which each frame that was waited for is kept, in its order.
"""

import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ...patience import PATIENCE

PROMPT = "shell>"
#: Textual's names of keys, where tmux has others.
_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "enter": "Enter",
    "escape": "Escape",
    "tab": "Tab",
    "shift+tab": "BTab",
    "space": "Space",
    "backspace": "BSpace",
    "delete": "DC",
    "up": "Up",
    "down": "Down",
    "pageup": "PPage",
    "pagedown": "NPage",
    "home": "Home",
    "end": "End",
}


def has_tmux():
    """True where tmux can be run."""
    return sys.platform != "win32" and shutil.which("tmux") is not None


def name_key(key):
    """The name that tmux has for a key of Textual's."""
    return f"C-{key.removeprefix('ctrl+')}" if key.startswith("ctrl+") else _NAMES.get(key, key)


class Tmux:
    """A terminal of a size. environ: the whole environment of its shell."""

    def __init__(self, environ, folder, size):
        # A socket's path may have a hundred characters at most.
        self._place = tempfile.TemporaryDirectory(prefix="tmux")
        self._socket = str(Path(self._place.name) / "s")
        #: Every key that was pressed, by Textual's name.
        self.pressed = set()
        self._frames = 0
        wanted = {**environ, "TERM": "tmux-256color", "LC_ALL": "C.UTF-8", "PS1": PROMPT, "HISTFILE": ""}
        shell = shlex.join(["env", "-i", *(f"{name}={value}" for name, value in wanted.items()), "bash", "--norc"])
        columns, lines = map(str, size)
        self._run("-f", os.devnull, "new-session", "-d", "-x", columns, "-y", lines, "-c", str(folder), shell)
        # What the program copies is then in a buffer of tmux.
        self._run("set-option", "-g", "set-clipboard", "on")
        pipe = Path(self._place.name) / "output"
        os.mkfifo(pipe)
        self._output = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self._run("pipe-pane", "-O", f"cat > {shlex.quote(str(pipe))}")
        self.see(PROMPT)

    def _run(self, *words):
        done = subprocess.run(
            ["tmux", "-u", "-S", self._socket, *words], capture_output=True, timeout=PATIENCE, check=True
        )
        return done.stdout.decode()

    def frame(self, *options):
        """What it shows. options: `-e` for the colours too."""
        return self._run("capture-pane", "-p", *options)

    def until(self, true):
        """Wait until a frame is so; that frame."""
        deadline = time.monotonic() + PATIENCE
        while not true(frame := self.frame()):
            left = deadline - time.monotonic()
            assert left > 0, frame
            # Until it writes something; what is written while the frame is read counts too.
            if select.select([self._output], [], [], min(left, 1.0))[0]:
                os.read(self._output, 1 << 20)
        if folder := os.environ.get("FAIRLEAD_FRAMES"):
            self._frames += 1
            test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
            Path(folder, f"{test}-{self._frames:03}.txt").write_text(frame, "utf-8")
        return frame

    def see(self, *texts):
        """Wait until it shows these texts; the frame that does."""
        return self.until(lambda frame: all(text in frame for text in texts))

    def lose(self, text):
        """Wait until it does not show a text any more."""
        return self.until(lambda frame: text not in frame)

    def type(self, text):
        """Type letters."""
        self._run("send-keys", "-l", text)

    def press(self, *keys):
        """Press keys, by Textual's names."""
        self.pressed |= {*keys}
        self._run("send-keys", *map(name_key, keys))

    def resize(self, columns, lines):
        """Give it another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def find_copied(self, true):
        """Wait until what was copied is so; that text."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(
                ["tmux", "-S", self._socket, "show-buffer"], capture_output=True, timeout=PATIENCE, check=False
            )
            text = done.stdout.decode()
            if not done.returncode and true(text):
                return text
            assert time.monotonic() < deadline, text

    def close(self):
        """End it, and all that runs in it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=PATIENCE, check=False)
        os.close(self._output)
        self._place.cleanup()
