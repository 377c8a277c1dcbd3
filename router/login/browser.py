"""Opens a page in the user's browser, if there is one here.

Rules of this file: no shell; the browser gets the environment that this process was started with, not what a frozen
program adds (library paths break it); nothing is waited for longer than a moment. The URL stands in the arguments of
the program that opens it, where other users can read it: it holds no code and no token, and the challenge in it is
useless without the verifier.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from router.host.child_process import make_environment
from router.host.limits import make_child_options

#: A program that runs on after so many seconds is the browser itself; one that failed did so before.
SECONDS = 3.0
_LINUX = ("xdg-open", "gio", "gnome-open", "kde-open", "x-www-browser", "sensible-browser", "www-browser")
_WSL = ("wslview", "powershell.exe")
# They take over the terminal.
_IN_TERMINAL = frozenset(("www-browser", "lynx", "w3m", "links", "links2", "elinks", "browsh"))

# Browsers that run on. Nothing waits for them, and forgetting one while it runs is warned of.
_RUNNING: list[trio.Process] = []
# A session of its own: it lives on when the terminal is closed, and Ctrl-C there does not reach it.
_OPTIONS: dict[str, Any] = {} if sys.platform == "win32" else {"start_new_session": True}


def is_remote(environ: Mapping[str, str]) -> bool:
    """True in a session over ssh: a browser here would not be in front of the user."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))


def find_commands(url: str, environ: Mapping[str, str], platform: str = sys.platform) -> list[list[str]]:
    """The command lines that may open a URL, the best first; none where there is no browser for this user."""
    named = [line for line in environ.get("BROWSER", "").split(os.pathsep) if line.strip()]
    found = [words for line in named if (words := _fill(line, url))]
    if is_remote(environ):
        return found
    path = environ.get("PATH")
    if platform == "darwin":
        return [*found, ["/usr/bin/open", url]]
    if platform == "win32":
        return [*found, ["rundll32.exe", "url.dll,FileProtocolHandler", url]]
    if environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"):
        # A literal in PowerShell: between single quotes nothing but a quote means anything.
        windows = [name for name in _WSL if shutil.which(name, path=path)]
        quoted = "'" + url.replace("'", "''") + "'"
        found += [
            [name, url] if name == "wslview" else [name, "-NoProfile", "-Command", f"Start-Process {quoted}"]
            for name in windows
        ]
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        programs = [name for name in _LINUX if name not in _IN_TERMINAL and shutil.which(name, path=path)]
        found += [[name, "open", url] if name == "gio" else [name, url] for name in programs]
    return found


def has_browser(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """True when a page can probably be opened in front of the user."""
    return bool(find_commands("https://localhost/", environ, platform))


async def open_page(url: str, environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Open a page; False when no program here could."""
    for words in find_commands(url, environ, platform):
        if await _run(words, environ):
            return True
    return False


def _fill(line: str, url: str) -> list[str]:
    """The words of a line of $BROWSER, with the URL in them or behind; [] for one that takes over the terminal."""
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    if not words or os.path.basename(words[0]) in _IN_TERMINAL:
        return []
    if any("%s" in word for word in words):
        return [word.replace("%s", url) for word in words]
    return [*words, url]


async def _run(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """True when a program ended well, or runs on."""
    try:
        process = await trio.lowlevel.open_process(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=make_environment(environ),
            **_OPTIONS,
            **make_child_options(),
        )
    except (OSError, ValueError):
        return False
    with trio.move_on_after(SECONDS):
        return await process.wait() == 0
    _RUNNING.append(process)
    return True
