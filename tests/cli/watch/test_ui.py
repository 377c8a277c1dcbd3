"""`fairlead ui`: the address of the local page, and who is told it."""

import json
import urllib.error
import urllib.request

import pytest

from router.cli.watch import ui

from ...patience import PATIENCE

ON = {"FAIRLEAD_UI": "on"}


def exchange(url):
    """The status of exchanging the code of an address, as the page does it."""
    root, _, code = url.partition("/ui/#")
    asked = urllib.request.Request(f"{root}/ui/session", headers={"authorization": f"Bearer {code}"})
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_an_address_opens_one_tab(fairlead):
    """The code is in the fragment, which no browser sends, and works once; each call gives another one."""
    fairlead.start("proxy", "--port", "0", **ON)
    done = fairlead("ui", "--no-open")
    [url] = done.out.splitlines()
    assert done.code == 0
    assert done.err == "Open this address within 60 s; it opens one tab.\n"
    assert (exchange(url), exchange(url)) == (200, 401)
    told = json.loads(fairlead("ui", "--json").out)
    assert (told["schema"], told["expires_s"]) == (1, 60.0)
    assert told["url"] != url
    assert exchange(told["url"]) == 200


def test_without_a_proxy(fairlead):
    """There is nothing to open; it is said how to start one."""
    done = fairlead("ui")
    assert (done.code, done.out) == (1, "")
    assert "no proxy is running" in done.err
    assert "fairlead proxy" in done.err


def test_switched_off(fairlead):
    """The proxy's reason is told, with the command that mends it."""
    fairlead.start("proxy", "--port", "0", FAIRLEAD_UI="off")
    done = fairlead("ui")
    assert (done.code, done.out) == (1, "")
    assert "fairlead config set ui on" in done.err


@pytest.mark.parametrize("shared", [False, True])
def test_who_may_read_the_address(fairlead, monkeypatch, capsys, shared):
    """The browser is started where nobody else could read its arguments; elsewhere the address is printed, with why."""
    fairlead.start("proxy", "--port", "0", **ON)
    opened = []

    async def open_page(url, environ):
        opened.append(url)
        return True

    monkeypatch.setattr(ui, "open_page", open_page)
    monkeypatch.setattr(ui, "has_browser", lambda environ: True)
    monkeypatch.setattr(ui, "has_other_users", lambda: shared)
    monkeypatch.setenv("FAIRLEAD_HOME", str(fairlead.home))
    assert ui.run([]) == 0
    said = capsys.readouterr()
    if shared:
        assert opened == []
        assert exchange(said.out.strip()) == 200
        assert "other users" in said.err
    else:
        [url] = opened
        assert said.out == "The page opens in your browser.\n"
        assert exchange(url) == 200
