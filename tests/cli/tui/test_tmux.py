"""The real program in a terminal of tmux: every key in every pane, and what is shown while its proxy comes and goes."""

import json
import os
import re
import signal
import sys
import urllib.request
from contextlib import contextmanager

import pytest

from router.cli.tui.keys import BINDINGS
from router.cli.tui.line_list import LineList
from router.cli.tui.reader import Reader
from router.store.home.client_key import has_other_users

from ...patience import PATIENCE
from ..watch.test_ui import exchange
from .tmux import PROMPT, Tmux, has_tmux

pytestmark = pytest.mark.skipif(not has_tmux(), reason="there is no tmux")

PANES = ("Status", "Requests", "Analytics", "Accounts", "Backends", "Config")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[;m]")
MODELS = ("demo", "demo-tools", "demo-500") + ("demo",) * 27


@contextmanager
def open_terminal(fairlead, size=(80, 24), **environ):
    """A shell on which `fairlead` is a command, with its home."""
    bin_folder = fairlead.folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    program = bin_folder / "fairlead"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m router "$@"\n')
    program.chmod(0o700)
    path = f"{bin_folder}{os.pathsep}{fairlead.environ.get('PATH', os.defpath)}"
    terminal = Tmux({**fairlead.environ, "PATH": path, "FAIRLEAD_NOTIFY": "off", **environ}, fairlead.folder, size)
    try:
        yield terminal
    finally:
        terminal.close()


def start(terminal, *options):
    """Run the program until it knows how the proxy is."""
    terminal.type(" ".join(("fairlead", *options)))
    terminal.press("enter")
    return terminal.until(lambda frame: "fairlead  " in frame and "looking for" not in frame and PROMPT not in frame)


def leave(terminal, key="q"):
    """Leave it, and wait for the shell."""
    terminal.press(key)
    terminal.see(PROMPT)
    terminal.type("echo code=$?")
    terminal.press("enter")
    assert "code=0" in terminal.see("code=0")
    terminal.type("clear")
    terminal.press("enter")
    terminal.lose("code=")


def begin_proxy(fairlead, port=0):
    """A proxy with its page, and its port."""
    process = fairlead.start("proxy", "--port", str(port), FAIRLEAD_UI="on", FAIRLEAD_NOTIFY="off")
    [run] = [json.loads(path.read_text()) for path in (fairlead.home / "run").glob("*.json")]
    return process, run["port"]


def send(port, model):
    """A request of the demo; its status."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "one two three"}]}).encode()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", body, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def press_common(terminal, at):
    """The keys that do the same in each pane."""
    title = f"[{at + 1} {PANES[at]}]"
    terminal.press(str(at + 1))
    terminal.see(title)
    terminal.press("tab")
    terminal.see(f"[{(at + 1) % 6 + 1} {PANES[(at + 1) % 6]}]")
    terminal.press("shift+tab")
    terminal.see(title)
    for back in ("q", "escape", "enter", "question_mark", "backspace")[: 5 if at == 0 else 1]:
        terminal.press("question_mark")
        terminal.see(" Keys", "1 … 6, Tab  the panes")
        terminal.press(back)
        terminal.lose("1 … 6, Tab  the panes")
    terminal.press("p")
    terminal.see("paused")
    terminal.press("p")
    terminal.lose("paused")
    terminal.press("w")
    terminal.see(" why req_", "demo")
    terminal.press("escape")
    terminal.lose(" why req_")
    terminal.press("s")
    terminal.see("A proxy runs already.")
    terminal.press("R")
    terminal.see("Nothing is halted.")
    for key, copied in (("y", "copied: req_"), ("Y", '{"id":"req_')):
        terminal.press(key)
        terminal.see(copied if PANES[at] == "Requests" else "Nothing to copy here")
    terminal.see(title)


def press_in_status(terminal, browser):
    """Nothing there has a detail; the page is opened, or where others could read its address meanwhile, it is shown."""
    terminal.press("enter", "t", "n", "d", "delete")
    terminal.press("u")
    if has_other_users():
        terminal.see("Local page", "other users of this machine")
        terminal.press("y")
        address = terminal.find_copied(lambda text: text.startswith("http:"))
        terminal.press("escape")
        terminal.lose("Local page")
    else:
        terminal.see("The page opens in your browser.", "[1 Status]")
        address = browser.read_text().strip()
    assert exchange(address) == 200


def press_in_requests(terminal):
    """The cursor by each of its keys, shown by the id that is copied; detail, filter, copies."""

    def copied(*keys):
        terminal.press(*keys, "y")
        return terminal.find_copied(lambda text: text.startswith("req_") and text != before)

    before = ""
    first = before = copied("g")
    ids = [first]
    # Each goes to another request than the one before it.
    for keys in ("j", "down", "k", "up", "pagedown", "pageup", "space", "ctrl+b", "ctrl+f", "home", "G", "g", "end"):
        before = copied(keys)
        ids.append(before)
    assert ids[0] == ids[4] == ids[6] == ids[8] == ids[10] == ids[12]
    assert ids[1] == ids[3]
    assert ids[11] == ids[13]
    assert len({*ids}) == 5
    terminal.press("Y")
    assert json.loads(terminal.find_copied(lambda text: text.startswith("{")))["id"] == before
    terminal.press("enter")
    terminal.see(f" why {before}")
    terminal.press("y")
    assert before in terminal.find_copied(lambda text: "\n" in text)
    # After Escape something is waited for: a key that follows at once is taken for one with Alt.
    terminal.press("escape")
    terminal.lose(f" why {before}")
    terminal.press("slash")
    # What is typed is no key.
    terminal.type("status:5xx demo-500")
    terminal.press("enter")
    terminal.see("1 of 30 ended   / status:5xx demo-500", "500")
    terminal.press("slash")
    terminal.type("bogus:1")
    terminal.press("enter")
    terminal.see("bogus is not a field")
    terminal.press("escape")
    terminal.lose("bogus:1")
    terminal.press("escape")
    terminal.lose("/ status:5xx")


def press_in_analytics(terminal):
    """t goes through the windows; / goes to the requests."""
    terminal.press("3")
    for window in ("today", "7d", "30d", "60m"):
        terminal.press("t")
        terminal.see(f"[{window}]", "demo-tools")
    terminal.press("slash")
    terminal.see("[2 Requests]", "filter:")
    terminal.press("escape")
    terminal.lose("filter:")


def press_in_lists(terminal):
    """Accounts and Backends have a detail."""
    for key, texts in (("4", ("100 % left",)), ("5", ("speaks     ", "fairlead backend test demo"))):
        terminal.press(key, "enter")
        terminal.see(*texts)
        terminal.press("escape")
        terminal.lose(texts[-1])


def press_in_config(terminal, home):
    """A setting is changed after its diff was seen, one is added, and taken out again."""
    config = home / "config.toml"
    terminal.press("6", "slash")
    terminal.type("timeouts.total")
    terminal.press("enter")
    terminal.see("1 of ", "/ timeouts.total")
    terminal.press("enter")
    terminal.see("1800s")
    terminal.press(*["backspace"] * 5)
    terminal.type("20m")
    terminal.press("enter")
    terminal.see('+ timeouts.total = "20m"', "y yes")
    assert not config.exists() or "20m" not in config.read_text()
    terminal.press("y")
    terminal.see("Saved timeouts.total.", "uses it now")
    assert "20m" in config.read_text()
    terminal.see("config.toml, line")
    for key in ("d", "delete"):
        terminal.press(key)
        terminal.see('- timeouts.total = "20m"')
        if key == "d":
            terminal.press("escape")
            terminal.lose("- timeouts.total")
    terminal.press("y")
    terminal.see("Saved timeouts.total.")
    assert "20m" not in config.read_text()
    terminal.press("n")
    terminal.type("aliases.fast demo:demo")
    terminal.press("enter")
    terminal.see('+ aliases.fast = "demo:demo"')
    terminal.press("y")
    terminal.see("Saved aliases.fast.")


def list_bound_keys():
    """Every key that the program, its lists and its texts take."""
    found = (binding.key for binding in (*BINDINGS, *LineList.BINDINGS, *Reader.BINDINGS))
    return {key for keys in found for key in keys.split(",")}


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "no-color"])
def test_every_key(fairlead, colour):
    """Each key that is bound, in each pane where it does something, with the mouse off; with NO_COLOR nothing of it has
    a colour, and without some has."""
    browser = fairlead.folder / "browser.txt"
    opener = fairlead.folder / "open"
    opener.write_text(f'#!/bin/sh\necho "$1" > "{browser}"\n')
    opener.chmod(0o700)
    _, port = begin_proxy(fairlead)
    statuses = [send(port, model) for model in MODELS]
    assert statuses.count(200) == 29
    environ = {"BROWSER": str(opener)} | ({} if colour else {"NO_COLOR": "1"})
    with open_terminal(fairlead, **environ) as terminal:
        assert "serving the demo alone" in start(terminal, "--no-mouse")
        assert bool(COLOUR.search(terminal.frame("-e"))) is colour
        terminal.press("2")
        terminal.see("30 ended")
        for at in range(len(PANES)):
            press_common(terminal, at)
        terminal.press("1")
        press_in_status(terminal, browser)
        terminal.press("2")
        press_in_requests(terminal)
        press_in_analytics(terminal)
        press_in_lists(terminal)
        press_in_config(terminal, fairlead.home)
        assert bool(COLOUR.search(terminal.frame("-e"))) is colour
        terminal.press("1", "ctrl+z")
        terminal.see(PROMPT, "Stopped")
        terminal.type("fg")
        terminal.press("enter")
        terminal.see("[1 Status]")
        leave(terminal)
        for key in ("ctrl+q", "ctrl+c"):
            start(terminal)
            leave(terminal, key)
        assert list_bound_keys() <= terminal.pressed


def test_a_small_terminal_that_grows(fairlead):
    """20x5 shows each pane, cut; at another size, larger or smaller, all of it is drawn anew."""
    _, port = begin_proxy(fairlead)
    send(port, "demo")
    with open_terminal(fairlead, (20, 5)) as terminal:
        start(terminal, "--no-mouse")
        terminal.lose("looking")
        for at in range(len(PANES)):
            terminal.press(str(at + 1))
            terminal.see(f"[{at + 1} ")
        terminal.press("question_mark")
        terminal.see(" Keys")
        terminal.press("q", "2")
        for size in ((80, 24), (20, 5), (120, 40), (40, 10)):
            terminal.resize(*size)
            wanted = "[2 Requests]" if size[0] >= 80 else "[2 "
            frame = terminal.until(lambda frame, lines=size[1], text=wanted: is_drawn(frame, lines, text))
            assert max(map(len, frame.splitlines())) <= size[0]
        leave(terminal)


def is_drawn(frame, lines, text):
    """True when a frame is that of a terminal with so many lines, whose first and last one are drawn."""
    drawn = frame.split("\n")[:lines]
    return text in frame and drawn[0].startswith(" fairlead") and "/ filter" in drawn[-1]


def test_a_proxy_that_stops_and_comes_back(fairlead):
    """One that hangs, goes on, ends, is started by s, and is halted and resumed: each is said at the top, in words, and
    the requests of before stay."""
    first, port = begin_proxy(fairlead)
    send(port, "demo-tools")
    with open_terminal(fairlead, FAIRLEAD_PORT=str(port), FAIRLEAD_GUARD_DAY_TOKENS="200") as terminal:
        start(terminal, "--no-mouse")
        terminal.press("2")
        terminal.see("serving", "demo-tools")
        first.send_signal(signal.SIGSTOP)
        terminal.see("no answer from the proxy for", "demo-tools")
        first.send_signal(signal.SIGCONT)
        terminal.see("serving", "demo-tools")
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE) == 0
        terminal.see("no proxy is running", "demo-tools")
        terminal.press("s")
        try:
            terminal.see("serving", "demo-tools")
            terminal.press("1")
            terminal.see("[1 Status]")
            while send(port, "demo") == 200:
                pass
            terminal.see("All traffic is halted until", "R resumes it.", "halted  ")
            terminal.press("R")
            terminal.see("Resume traffic?", "y yes")
            terminal.press("escape")
            terminal.lose("Resume traffic?")
            terminal.press("R")
            terminal.see("Resume traffic?")
            terminal.press("y")
            terminal.see("Traffic continues.")
            terminal.lose("All traffic is halted")
        finally:
            assert fairlead("stop").code == 0
        terminal.see("no proxy is running")
        leave(terminal)
