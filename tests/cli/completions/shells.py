"""Real shells on a terminal of their own: what is typed, and the line that stands there after a TAB."""

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

#: Shell -> how it is started with a file of commands to begin with.
SHELLS = {
    "bash": ["bash", "--noprofile", "--rcfile", "start.bash", "-i"],
    "zsh": ["zsh", "-i"],
    "fish": ["fish", "--no-config", "-i", "-C", "source start.fish"],
}
#: File -> its commands: completion, and Ctrl-G prints the line between marks and deletes it. No key of the terminal's
#: own is typed, such as Ctrl-U: while a shell prints, it is the terminal that reads them.
FILES = {
    "start.bash": """
eval "$(fairlead completions bash)"
show() { printf '\\n<<%s>>\\n' "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\\C-g": show'
bind 'set bell-style none'
bind 'set show-all-if-ambiguous on'
echo ready
""",
    ".zshrc": """
autoload -U compinit
compinit -u -d $HOME/.zcompdump
eval "$(fairlead completions zsh)"
unsetopt prompt_sp prompt_cr
show() { zle -I; print -r -- "<<$BUFFER>>"; BUFFER= }
zle -N show
bindkey '^G' show
echo ready
""",
    "start.fish": """
fairlead completions fish | source
set -g fish_greeting
function show
    echo
    echo '<<'(commandline)'>>'
    commandline -r ''
end
bind \\cg show
echo ready
""",
}


def make_environ(folder, home):
    """Variables for a shell whose `fairlead` is this one. folder: for its home and its programs."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "fairlead"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m router "$@"\n')
    program.chmod(0o755)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(folder),
        "FAIRLEAD_HOME": str(home),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "INPUTRC": "/dev/null",
        "COLUMNS": "200",
    }


class Terminal:
    """A shell that runs on a terminal."""

    def __init__(self, shell, environ):
        self._here, there = pty.openpty()
        self._process = subprocess.Popen(
            SHELLS[shell],
            stdin=there,
            stdout=there,
            stderr=there,
            env=environ,
            cwd=environ["HOME"],
            start_new_session=True,
            # fish runs on the terminal of its session only.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(there)
        self._said = b""
        self._wait(rb"ready")

    def complete(self, typed, tabs=1):
        """The line after a text was typed and TAB pressed, and what was shown meanwhile."""
        self._said = b""
        self._type(typed + "\t" * tabs + "\x07")
        line = self._wait(rb"<<(.*?)>>")
        return line, self._said.decode("utf-8", "replace")

    def _type(self, text):
        os.write(self._here, text.encode())

    def _wait(self, pattern):
        until = time.monotonic() + 30
        while (found := re.search(pattern, self._said, re.DOTALL)) is None:
            left = until - time.monotonic()
            ready, _, _ = select.select([self._here], [], [], max(left, 0))
            assert ready, f"the shell did not say {pattern}: {self._said[-2000:]}"
            self._said += os.read(self._here, 65536)
        return found[1].decode() if found.re.groups else ""

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._here)
