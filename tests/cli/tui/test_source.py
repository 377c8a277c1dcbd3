"""What pictures hold of a real home: proxies that come and go, requests that end, sums, and settings."""

import json
import signal
import time
import urllib.request

import pytest

from router.cli.tui import source
from router.cli.tui.source import HomeSource
from router.cli.tui.top_line import format_top
from router.errors import CommandError

from ...patience import PATIENCE
from .pictures import make_home


def look_until(found, true):
    """Look until a picture is as expected."""
    deadline = time.monotonic() + PATIENCE
    while not true(picture := found.look(80)):
        assert time.monotonic() < deadline, picture
        time.sleep(0.02)
    return picture


@pytest.fixture
def quick(monkeypatch):
    """Looks at everything each time."""
    for name in ("_ASK", "_SUM", "_READ"):
        monkeypatch.setattr(source, name, 0.0)


def send(url, model):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        answer.read()


def test_a_home_without_anything(tmp_path, quick):
    """No proxy, no history, all settings: said in words, and nothing fails."""
    picture = HomeSource(make_home(tmp_path)).look(80)
    assert picture.proxies == ()
    assert "no fairlead proxy is running" in picture.absent
    assert picture.requests == ()
    assert picture.usage is None
    assert any(one.key == "timeouts.idle" for one in picture.settings)


def test_a_proxy_and_its_requests(fairlead, tmp_path, quick, monkeypatch):
    """It is seen, what it serves comes with its sums and its why, and that it ended is seen too."""
    proxy = fairlead.start("proxy", "--port", "0")
    found = HomeSource(make_home(tmp_path))
    picture = look_until(found, lambda picture: picture.proxies)
    assert any("serving the demo alone" in line for line in picture.status)
    send(picture.proxies[0].url, "demo")
    picture = look_until(found, lambda picture: picture.requests and picture.usage and picture.usage.total.requests)
    assert picture.requests[0].model == "demo"
    assert sum(one.requests for one in picture.minutes) == 1
    assert len(picture.minutes) == 61
    assert any(picture.requests[0].id in line for line in found.explain_request(picture.requests[0], 80))
    send(picture.proxies[0].url, "demo-tools")
    picture = look_until(found, lambda picture: len(picture.requests) == 2)
    assert picture.requests[0].model == "demo-tools"
    other = HomeSource(make_home(tmp_path))
    monkeypatch.setattr(source, "_FIRST", 1)
    assert len(look_until(other, lambda picture: picture.requests).requests) == 1
    assert (other.read_older(), other.read_older()) == (1, 0)
    assert [one.model for one in other.look(80).requests] == ["demo-tools", "demo"]
    found.choose_window("7d")
    assert look_until(found, lambda picture: picture.window == "7d").usage.total.requests == 2
    assert found.resume() == "Nothing was halted."
    proxy.terminate()
    proxy.wait(PATIENCE)
    picture = look_until(found, lambda picture: not picture.proxies)
    assert len(picture.requests) == 2


def test_what_cannot_be_read_is_said(tmp_path, quick):
    """A damaged file of settings or of the history is a line on the screen, not its end."""
    home = make_home(tmp_path)
    home.write("config.toml", b"port = = 1\n")
    home.write("history.db", b"not a database at all, but long enough to be looked at as if it were one" * 20)
    picture = HomeSource(home).look(80)
    assert "line 1" in picture.config_problem
    assert "history.db" in picture.unreadable


def test_a_proxy_that_hangs_holds_up_nothing(fairlead, tmp_path, quick, monkeypatch):
    """That it does not answer is said, with for how long; once it does, that is over."""
    fairlead.forks = False
    proxy = fairlead.start("proxy", "--port", "0")
    found = HomeSource(make_home(tmp_path))
    look_until(found, lambda picture: picture.proxies)
    monkeypatch.setattr(source, "_PATIENT", 0.05)
    proxy.send_signal(signal.SIGSTOP)
    try:
        picture = look_until(found, lambda picture: picture.silent_s > 0.2)
        assert "no answer from the proxy for" in format_top(picture, 120, "").text
        assert picture.settings
    finally:
        proxy.send_signal(signal.SIGCONT)
    look_until(found, lambda picture: picture.proxies and not picture.silent_s)


def test_a_configuration_that_was_refused_is_said(fairlead, tmp_path, quick):
    """A proxy that keeps its previous one: the first line of Status says why."""
    fairlead.start("proxy", "--port", "0")
    home = make_home(tmp_path)
    found = HomeSource(home)
    look_until(found, lambda picture: picture.status)
    home.write("config.toml", b"port = = 1\n")
    picture = look_until(found, lambda picture: picture.status and picture.status[0].startswith("problem"))
    assert "line 1" in picture.status[0]


def test_a_proxy_is_started(fairlead, tmp_path, quick, monkeypatch):
    """It serves in the background, in the same home; what keeps it from that is said."""
    for name, value in fairlead.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("router.host.own_program.find_words", lambda: fairlead._line(()))
    home = make_home(tmp_path)
    found = HomeSource(home)
    home.write("config.toml", b"port = = 1\n")
    with pytest.raises(CommandError, match="line 1"):
        found.start_proxy()
    home.write("config.toml", b"port = 0\n")
    try:
        assert "http://localhost:" in found.start_proxy()
        assert look_until(found, lambda picture: picture.proxies)
    finally:
        fairlead("stop")
