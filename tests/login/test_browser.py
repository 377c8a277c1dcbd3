"""Which program opens a page, and what it gets of the environment."""

import json
import sys
import time

import pytest
import trio

from router.login import browser

URL = "https://login.example/authorize?a=1&b='2'"


@pytest.fixture
def programs(tmp_path):
    """A folder on PATH with programs of these names, which end well."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.write_text("#!/bin/sh\nexit 0\n")
            path.chmod(0o700)
        return str(tmp_path)

    return make


def first(environ, platform="linux"):
    """The words of the first command line, '' for none."""
    found = browser.find_commands(URL, environ, platform)
    return found[0] if found else ""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_linux_needs_a_display(programs):
    """xdg-open where there is a display, nothing where there is none, and none that takes over the terminal."""
    path = programs("xdg-open", "gio", "www-browser")
    assert first({"PATH": path, "DISPLAY": ":0"}) == ["xdg-open", URL]
    assert first({"PATH": path, "WAYLAND_DISPLAY": "w"}) == ["xdg-open", URL]
    assert browser.find_commands(URL, {"PATH": path, "DISPLAY": ":0"}, "linux")[1] == ["gio", "open", URL]
    assert first({"PATH": path}) == ""
    assert not browser.has_browser({"PATH": path}, "linux")


def test_over_ssh_there_is_none(programs):
    """It would open where nobody sits; a program that the user names is used."""
    path = programs("xdg-open")
    over = {"PATH": path, "DISPLAY": ":0", "SSH_CONNECTION": "a b c d"}
    assert browser.is_remote(over)
    assert first(over) == ""
    assert first({**over, "BROWSER": "mine"}) == ["mine", URL]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("firefox", ["firefox", URL]),
        ("firefox --new-tab %s --x", ["firefox", "--new-tab", URL, "--x"]),
        ("'/opt/my browser/run' -p", ["/opt/my browser/run", "-p", URL]),
        ("w3m", ""),
        ("'unclosed", ""),
        ("   ", ""),
    ],
)
def test_named_program(line, words):
    """$BROWSER, as Python's webbrowser reads it; the URL is one word, whatever it holds."""
    assert first({"BROWSER": line}) == words


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_windows_below_linux(programs):
    """WSL: the browser is Windows'; between single quotes PowerShell reads nothing but a doubled quote."""
    path = programs("powershell.exe")
    assert first({"PATH": path, "WSL_DISTRO_NAME": "U"}) == [
        *("powershell.exe", "-NoProfile", "-Command"),
        "Start-Process 'https://login.example/authorize?a=1&b=''2'''",
    ]
    path = programs("wslview")
    assert first({"PATH": path, "WSL_DISTRO_NAME": "U"}) == ["wslview", URL]


@pytest.mark.parametrize(("platform", "program"), [("darwin", "/usr/bin/open"), ("win32", "rundll32.exe")])
def test_other_systems(platform, program):
    """They have a program of their own, without a shell."""
    assert first({}, platform)[0] == program
    assert first({}, platform)[-1] == URL


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_environment_is_as_it_was_before(tmp_path):
    """Without a frozen program's library paths and fairlead's own variables; the rest stays."""
    program, seen = tmp_path / "mine", tmp_path / "seen"
    program.write_text(
        f"#!{sys.executable}\nimport json,os,sys\njson.dump([dict(os.environ),sys.argv],open('{seen}','w'))"
    )
    program.chmod(0o700)
    environ = {
        "BROWSER": str(program),
        "LD_LIBRARY_PATH": "/frozen/_internal",
        "LD_LIBRARY_PATH_ORIG": "/usr/mine",
        "_PYI_ARCHIVE_FILE": "x",
        "FAIRLEAD_API_KEY": "secret",
        "LANG": "C",
    }
    assert trio.run(browser.open_page, URL, environ)
    found, argv = json.loads(seen.read_text())
    assert found["LD_LIBRARY_PATH"] == "/usr/mine"
    assert argv[1:] == [URL]
    assert not {"_PYI_ARCHIVE_FILE", "FAIRLEAD_API_KEY", "LD_LIBRARY_PATH_ORIG"} & set(found)
    assert found["LANG"] == "C"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_what_fails_is_passed_over(tmp_path):
    """A program that is not there or fails is followed by the next; none is waited for to the end."""
    bad, slow = tmp_path / "bad", tmp_path / "slow"
    bad.write_text("#!/bin/sh\nexit 3\n")
    slow.write_text("#!/bin/sh\nexec sleep 8\n")
    bad.chmod(0o700)
    slow.chmod(0o700)
    path = {"PATH": "/usr/bin:/bin"}
    assert not trio.run(browser.open_page, URL, {**path, "BROWSER": f"{tmp_path}/none:{bad}"}, "linux")
    began = time.monotonic()
    assert trio.run(browser.open_page, URL, {**path, "BROWSER": f"{bad}:{slow}"}, "linux")
    assert time.monotonic() - began < 7
