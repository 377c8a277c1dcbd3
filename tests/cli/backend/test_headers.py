"""`--header` and `--remove-header`: headers of a backend, kept in config.toml."""

import json
import tomllib
import urllib.request

import pytest

from ...patience import PATIENCE
from .test_commands import add, words


@pytest.fixture
def office(fairlead, provider):
    """A backend that sends one header."""
    add(fairlead, provider, "--protocols", "chat", "--no-key", "--header", "X-Title=fairlead=1")
    return "office"


def held(fairlead):
    return tomllib.loads((fairlead.home / "config.toml").read_text()).get("backends", {})


def test_add_and_list(fairlead, provider):
    """A header given to `add` stands in config.toml; output and lists show its name, not its value."""
    done = add(
        fairlead, provider, "--protocols", "chat", "--no-key", "--header", "X-Title=my desk", "--header", "X-B=2"
    )
    assert (done.code, done.err) == (0, "")
    assert "the header X-Title is set on its requests" in done.out
    assert held(fairlead) == {"office": {"set_headers": {"X-Title": "my desk", "X-B": "2"}}}
    listed = fairlead("backend", "list")
    assert words(listed.out.splitlines()[1]) == f"office {provider.url}/v1 chat no key sets X-Title, X-B"
    plain = fairlead("backend", "list", "--json")
    assert json.loads(plain.out)["backends"][0]["headers"] == ["X-Title", "X-B"]
    assert "my desk" not in done.out + listed.out + plain.out


def test_set_keeps_what_is_not_named(fairlead, office):
    """Case does not matter in names; the rest of the file stays as it is."""
    path = fairlead.home / "config.toml"
    before = "# mine\n[backends.Office]\nusage_probe = false # why\n\n"
    path.write_text(f"{before}[backends.Office.set_headers]\nX-A = '1'\n")
    assert fairlead("backend", "set", office, "--header", "x-a=2", "--header", "X-New=3").code == 0
    assert held(fairlead) == {"Office": {"usage_probe": False, "set_headers": {"X-A": "2", "X-New": "3"}}}
    assert path.read_text().startswith(before)
    done = fairlead("backend", "set", office, "--remove-header", "x-A", "--header", "X-New=4")
    assert "the header X-A is no longer set" in done.out
    assert held(fairlead)["Office"]["set_headers"] == {"X-New": "4"}


def test_last_header_takes_its_table_along(fairlead, office):
    """Nothing empty stays behind."""
    assert fairlead("backend", "set", office, "--remove-header", "X-Title").code == 0
    assert held(fairlead) == {}


def test_key_in_a_header_is_warned_about(fairlead, provider, office):
    """A value or a name like a key's is stored, said to be seen by others, and shown as set."""
    value = "sk-" + "0" * 20
    done = fairlead("backend", "set", office, "--header", f"X-Note={value}", "--header", "X-Team-Token=abc")
    assert done.code == 0
    assert "warning: the header X-Note looks like a key" in done.err
    assert "warning: the header X-Team-Token looks like a key" in done.err
    shown = fairlead("config", "show").out
    assert "backends.office.set_headers.X-Note" in shown
    assert value not in shown + done.out + done.err


def test_broken_config_changes_nothing(fairlead, provider, office):
    """Where config.toml cannot be changed, the backend is not changed either; the list still shows it."""
    (fairlead.home / "config.toml").write_text("[backends.office\n")
    before = fairlead.backend(office)
    code, out, err = fairlead("backend", "set", office, "--protocols", "messages", "--header", "X-A=1")
    assert (code, out) == (1, "")
    assert "config.toml, line 1" in err
    assert fairlead.backend(office) == before
    code, out, err = fairlead("backend", "list")
    assert (code, words(out.splitlines()[1])) == (1, f"office {provider.url}/v1 chat no key")
    assert "config.toml, line 1" in err
    add(fairlead, provider, "--protocols", "chat", "--no-key", "--header", "X-A=1", name="other")
    assert not (fairlead.home / "backends" / "other.json").exists()


def test_headers_reach_the_upstream(fairlead, provider, office):
    """A running proxy takes a header up and sends it."""
    provider.needs_key = False
    fairlead.start("proxy", "--port", "0")
    [run] = (fairlead.home / "run").glob("*.json")
    url = json.loads(run.read_text())["url"]
    body = json.dumps({"model": "office:model-a", "messages": [{"role": "user", "content": "hi"}]}).encode()
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status == 200
    assert provider.fields["/v1/chat/completions"]["x-title"] == "fairlead=1"


def test_remove_says_what_stays(fairlead, provider, office):
    """The table of a removed backend stays, which is said with the command that removes it."""
    done = fairlead("backend", "remove", office)
    assert done.out == (
        "Removed office.\n[backends.office] stays in config.toml. Remove it:   fairlead config unset backends.office\n"
    )
    assert fairlead("config", "unset", "backends.office").code == 0
    assert held(fairlead) == {}


def test_a_new_url_gets_the_headers_and_that_is_said(fairlead, office):
    """A header may hold a secret that was meant for the old host; one that stays at its URL says nothing."""
    moved = fairlead("backend", "set", office, "--base-url", "http://127.0.0.1:9/v1")
    assert "the new URL gets the headers that config.toml sets: X-Title" in moved.err
    assert "--remove-header X-Title" in moved.err
    same = fairlead("backend", "set", office, "--base-url", "http://127.0.0.1:9")
    assert "the new URL" not in same.err
