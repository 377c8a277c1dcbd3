"""`fairlead backend set`, `enable` and `disable`: only what is named changes, and keys stay where they were given."""

import json
import threading

import pytest

from .test_commands import add, words


@pytest.fixture
def office(fairlead, provider):
    """A backend with two accounts."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    fairlead("accounts", "add", "office", "work", "--key-env", "WORK_KEY")
    provider.seen.clear()
    return "office"


def keys(fairlead):
    return [(account["alias"], account["key"]) for account in fairlead.backend("office")["accounts"]]


def test_only_what_is_named_changes(fairlead, provider, office):
    """Protocols change, URL, keys and order stay; the backend is asked whether it works."""
    before = fairlead.backend(office)
    code, out, err = fairlead("backend", "set", office, "--protocols", "responses,chat")
    assert (code, err) == (0, "")
    assert "key accepted" in out
    assert fairlead.backend(office) == {**before, "protocols": ["chat", "responses"]}


def test_new_key_replaces_that_of_the_first_account(fairlead, provider, office):
    """The account that serves gets the new key and keeps its name; the others stay."""
    code, out, _ = fairlead("backend", "set", office, "--key-env", "NEW_KEY", NEW_KEY="sk-good")
    assert code == 0
    assert "key accepted" in out
    assert keys(fairlead) == [("default", "env:NEW_KEY"), ("work", "env:WORK_KEY")]
    code, *_ = fairlead("backend", "add", office, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    assert code == 0
    assert keys(fairlead) == [("default", "sk-good"), ("work", "env:WORK_KEY")]


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
def test_same_place_keeps_the_keys(fairlead, provider, office, tail):
    """A trailing /v1 or slash is no other place."""
    before = keys(fairlead)
    code, _, err = fairlead("backend", "set", office, "--base-url", provider.url + tail)
    assert (code, err) == (0, "")
    assert keys(fairlead) == before


def test_other_place_drops_the_keys(fairlead, provider, office):
    """Keys are not carried to another base URL, which is said; one given in the same call is kept."""
    elsewhere = provider.url + "/team/v1"
    code, out, err = fairlead("backend", "set", office, "--base-url", elsewhere)
    assert code == 0
    assert "note: the base URL changed, so 2 stored keys were dropped." in err
    assert "not tried: office has no key" in out
    assert (keys(fairlead), fairlead.backend(office)["root"]) == ([], elsewhere)
    assert provider.seen == []
    code, _, err = fairlead("backend", "set", office, "--base-url", provider.url, "--key-stdin", stdin="sk-good")
    assert (code, err) == (0, "")
    assert keys(fairlead) == [("default", "sk-good")]
    code, _, err = fairlead("backend", "set", office, "--base-url", elsewhere, "--key-env", "OTHER")
    assert "the stored key was dropped" in err
    assert keys(fairlead) == [("default", "env:OTHER")]


def test_failed_change_changes_nothing(fairlead, provider, office):
    """Where one option is wrong, none is carried out and nothing is said to be dropped."""
    before = fairlead.backend(office)
    code, out, err = fairlead(
        "backend", "set", office, "--base-url", "https://x.example", "--key-stdin", stdin="two\nlines"
    )
    assert (code, out) == (1, "")
    assert "dropped" not in err
    assert fairlead.backend(office) == before


@pytest.mark.parametrize(
    ("options", "auth", "why"),
    [
        (["--no-key"], "none", "no key is needed now"),
        (["--auth", "client"], "client", "requests carry each tool's own login now"),
    ],
)
@pytest.mark.parametrize("command", ["add", "set"])
def test_going_without_keys_drops_them(fairlead, provider, office, command, options, auth, why):
    """A backend that needs no key keeps none, which is said; a key brings it back."""
    code, _, err = fairlead("backend", command, office, *options)
    assert code == 0
    assert f"note: {why}, so 2 stored keys were dropped." in err
    assert (keys(fairlead), fairlead.backend(office)["auth"]) == ([], auth)
    fairlead("backend", "set", office, "--key-stdin", stdin="sk-good")
    assert (keys(fairlead), fairlead.backend(office)["auth"]) == ([("default", "sk-good")], "key")


def test_plain_http_stays_allowed(fairlead, provider):
    """What was allowed at a public address once need not be allowed again; elsewhere it is asked for."""
    public = "http://api.nowhere.invalid/v1"
    fairlead("backend", "add", "x", "--base-url", public, "--protocols", "chat", "--no-key", "--insecure-http")
    assert fairlead("backend", "set", "x", "--base-url", "http://api2.nowhere.invalid").code == 0
    fairlead("backend", "add", "y", "--base-url", "https://api.nowhere.invalid", "--protocols", "chat", "--no-key")
    code, _, err = fairlead("backend", "set", "y", "--base-url", public)
    assert code == 1
    assert f"fairlead backend set y --base-url {public} --insecure-http" in err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["office"], 2, "nothing to change: no option was given"),
        (["nobody", "--no-key"], 1, "there is no backend named nobody"),
        (["offic", "--no-key"], 1, "Did you mean office?"),
        (["office", "--base-url", "x.example"], 1, "--base-url does not begin with https://"),
        (["office", "--base-url", "https://u:sk-secret@x.example"], 1, "a key is given apart from the URL"),
        (["office", "--base-url", "http://8.8.8.8"], 1, "8.8.8.8 is a public address"),
        (["office", "--protocols", "smoke"], 2, "expected some of messages,chat,responses"),
        (["office", "--auth", "magic"], 2, "expected client"),
        (["office", "--key-env", "A", "--key-file", "/x"], 2, "--key-env and --key-file cannot be used together"),
        (["office", "--keyring", "a/b", "--key-cmd", "x"], 2, "--keyring and --key-cmd cannot be used together"),
        (["office", "--key-file", "key.txt"], 1, "expected an absolute one"),
        (["office", "--key-cmd", "pass x | head"], 1, "has a | for a shell, and none runs"),
        (["office", "--key-cmd", "./pass"], 1, "a name on PATH or an absolute path"),
        (["office", "--keyring", "office"], 1, "expected SERVICE/USER"),
        (["office", "--key", "op://vault/x"], 1, "is a reference to a key, not a key"),
        (["office", "--header", "a"], 2, "--header has no =; expected NAME=VALUE"),
        (["office", "--header", "=b"], 2, "--header has no name; expected NAME=VALUE"),
        (["office", "--header", "a b=c"], 1, "a b"),
        (["office", "--header", "a="], 1, "backends.office.set_headers.a is set; expected"),
        (["office", "--header", "a=b\x07secret"], 1, "backends.office.set_headers.a is set; expected"),
        (["office", "--header", "Authorization=Bearer secret"], 1, "credentials belong to the backend's account"),
        (["office", "--header", "Host=x"], 1, "fairlead writes it itself"),
        (["office", "--header", "a=b", "--header", "A=c"], 2, "the header a is named twice"),
        (["office", "--header", "a=b", "--remove-header", "a"], 1, 'sets no header "a" for office'),
        (["office", "--remove-header", "X-Title"], 1, "It sets: none."),
    ],
)
def test_bad_input(fairlead, provider, office, arguments, code, text):
    """What cannot be set is refused with what was expected; the backend stays as it was."""
    before = fairlead.backend("office")
    done = fairlead("backend", "set", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words(text) in words(done.err)
    assert "Traceback" not in done.err
    assert "secret" not in done.err
    assert fairlead.backend("office") == before


def test_change_by_another_command_is_not_undone(fairlead, provider, office):
    """A backend that another command changed meanwhile is left as that one made it, and this one says so; one that it
    changes while this one tries it stays so."""
    path = fairlead.home / "backends" / "office.json"
    usual, lock = provider.answer, threading.Lock()

    def meanwhile(asked, key):
        with lock:
            path.write_text(path.read_text().replace('"enabled": true', '"enabled": false'))
        return usual(asked.removeprefix("/team"), key)

    provider.answer = meanwhile
    elsewhere = ("--base-url", f"{provider.url}/team/v1", "--key-stdin")
    code, _, err = fairlead("backend", "add", office, *elsewhere, stdin="sk-good")
    assert code == 1
    assert "another command changed office meanwhile" in err
    assert (fairlead.backend(office)["enabled"], fairlead.backend(office)["protocols"]) == (False, ["chat"])
    fairlead("backend", "enable", office)
    assert fairlead("backend", "set", office, "--protocols", "messages").code == 0
    assert (fairlead.backend(office)["enabled"], fairlead.backend(office)["protocols"]) == (False, ["messages"])


def test_enable_and_disable(fairlead, provider, office):
    """A disabled backend keeps all it has and is listed so."""
    before = fairlead.backend(office)
    assert fairlead("backend", "disable", "Office") == (0, "Disabled office.\n", "")
    assert fairlead.backend(office) == {**before, "enabled": False}
    assert fairlead("backend", "list").out.endswith("   disabled\n")
    [listed] = json.loads(fairlead("backend", "list", "--json").out)["backends"]
    assert listed["enabled"] is False
    assert [account["serves"] for account in listed["accounts"]] == [False, False]
    assert fairlead("backend", "disable", office) == (0, "office is already disabled.\n", "")
    assert fairlead("backend", "enable", office) == (0, "Enabled office.\n", "")
    assert fairlead.backend(office) == before
    assert fairlead("backend", "enable", "nobody").code == 1


def test_running_proxy_takes_up_each_change(fairlead, provider):
    """The proxy of this home is told of every change, and acts on it."""
    fairlead.start("proxy", "--port", "0")
    told = "The running proxy on :"
    assert told in add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good").out
    assert told in fairlead("backend", "disable", "office").out
    assert "model-a" not in fairlead("models").out
    assert told in fairlead("backend", "enable", "office").out
    assert told in fairlead("backend", "set", "office", "--protocols", "chat,messages").out
    assert told in fairlead("accounts", "add", "office", "work", "--key-stdin", stdin="sk-good").out
    assert told in fairlead("accounts", "remove", "office", "work").out


def test_help_has_examples(fairlead):
    """Each command says what it does and shows a line to type."""
    for command in ("set", "enable", "disable"):
        code, out, _ = fairlead("backend", command, "--help")
        assert code == 0
        assert f"fairlead backend {command} " in out.partition("example")[2]
        assert command in fairlead("backend", "--help").out
