"""`fairlead accounts`: several keys of one backend, of which the first serves."""

import json
import re
import time
import urllib.error
import urllib.request

import pytest

from router.policy.budget.guard import format_moment

from ..backend.test_commands import add, words

ARROW, DASH = "\N{LEFTWARDS ARROW}", "\N{EN DASH}"
FULL, LIGHT = "\N{FULL BLOCK}", "\N{LIGHT SHADE}"


@pytest.fixture
def office(fairlead, provider):
    """A backend with one account."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    provider.seen.clear()
    return "office"


def aliases(fairlead):
    return [account["alias"] for account in fairlead.backend("office")["accounts"]]


def test_add_asks_with_the_new_key(fairlead, provider, office):
    """A further key is tried, stored behind the others, and said not to serve yet."""
    code, out, err = fairlead("accounts", "add", office, "Work", "--key-stdin", stdin="sk-bad")
    assert (code, err) == (1, "")
    first, second, third = out.splitlines()
    assert first == "office/work   key stored"
    assert "key refused (401 invalid_api_key)" in second
    assert third == "Saved, but requests with it will fail. Remove it:   fairlead accounts remove office work"
    assert provider.seen == [("/v1/models", "sk-bad")]
    assert fairlead.backend(office)["accounts"][1] == {"alias": "work", "key": "sk-bad"}
    code, out, _ = fairlead("accounts", "add", office, "home", "--key-env", "HOME_KEY", HOME_KEY="sk-good")
    assert "key accepted" in out
    assert aliases(fairlead) == ["default", "work", "home"]


def test_first_account_of_a_backend_without_a_key(fairlead, provider):
    """A backend that had no key uses the first one it is given."""
    add(fairlead, provider, "--protocols", "chat", "--no-key")
    code, out, _ = fairlead("accounts", "add", "office", "work", "--key-stdin", stdin="sk-good")
    assert code == 0
    assert out.endswith("Saved. Accounts in use: work.\n")
    assert fairlead.backend("office")["auth"] == "key"


def test_list_says_where_keys_come_from(fairlead, provider, office):
    """The list shows where each key comes from, and that all serve; never a key."""
    fairlead("accounts", "add", office, "work", "--key-env", "WORK_KEY")
    code, out, err = fairlead("accounts", "list")
    assert code == 0
    assert [words(line) for line in out.splitlines()] == [
        "backend account key state",
        "office default key stored in use",
        "office work key from $WORK_KEY (not set in this shell) in use",
    ]
    assert err == ""
    listed = json.loads(fairlead("accounts", "list", office, "--json").out)
    assert listed["problems"] == []
    assert listed["accounts"] == [
        {
            "backend": "office",
            "alias": "default",
            "source": "stored",
            "credentials": "key stored",
            "serves": True,
            "key_problem": None,
        },
        {
            "backend": "office",
            "alias": "work",
            "source": "env",
            "credentials": "key from $WORK_KEY (not set in this shell)",
            "serves": True,
            "key_problem": None,
        },
    ]


def test_list_shows_how_accounts_are(fairlead, provider, office):
    """While a proxy runs: what each has left, why one cannot serve and until when, and which is next."""
    fairlead("accounts", "add", office, "work", "--key-env", "WORK_KEY")
    fairlead("accounts", "add", office, "spare", "--key-stdin", stdin="sk-bad")
    fairlead("config", "set", "pool.strategy", "fill-first")
    proxy = fairlead.start("proxy", "--port", "0")
    url = next(re.search(r"http://localhost:\d+", line)[0] for line in proxy.lines if "http://" in line)
    provider.serves = set()
    [_, first, second, third] = [words(line) for line in fairlead("accounts", "list", office).out.splitlines()]
    assert first == f"office default key stored 100 % left ready {ARROW} next"
    assert second == (
        f"office work key from $WORK_KEY (not set) {DASH} "
        "$WORK_KEY is not set in the running proxy: restart it from a shell that has it."
    )
    assert third == "office spare key stored 100 % left ready"
    provider.serves, provider.needs_key = {"/v1/chat/completions"}, True
    fairlead("accounts", "remove", office, "default")
    said = {"model": "office:model-a", "messages": [{"role": "user", "content": "hi"}]}
    assert ask(url, said) == 401
    listed = fairlead("accounts", "list").out
    assert "paused for" in listed
    assert f"{ARROW} next" not in listed
    entry = json.loads(fairlead("accounts", "list", "--json").out)["accounts"][1]
    assert (entry["alias"], entry["state"], 0 < entry["until_s"] <= 60) == ("spare", "cooling", True)


def test_list_shows_limits_as_bars(fairlead, provider, office):
    """A row for each limit that an account's answers told of: how much is in use, and when it starts again."""
    fairlead("accounts", "add", office, "work", "--key-stdin", stdin="sk-good")
    fairlead("config", "set", "pool.strategy", "fill-first")
    proxy = fairlead.start("proxy", "--port", "0")
    url = next(re.search(r"http://localhost:\d+", line)[0] for line in proxy.lines if "http://" in line)
    end = int(time.time()) + 3600
    provider.answer_fields = {
        "anthropic-ratelimit-unified-5h-utilization": "0.82",
        "anthropic-ratelimit-unified-5h-reset": str(end),
        "anthropic-ratelimit-unified-7d-utilization": "0.09",
        "anthropic-ratelimit-unified-7d-reset": str(end + 400_000),
    }
    assert ask(url, {"model": "office:model-a", "messages": [{"role": "user", "content": "hi"}]}) == 200
    asked = time.time()
    accounts, limits = fairlead("accounts", "list").out.split("\n\n")
    assert words(accounts.splitlines()[1]) == f"office default key stored 18 % left ready {ARROW} next"
    header, first, second = map(words, limits.splitlines())
    assert header == "account limit in use starts again"
    # The proxy tells in tenths of a second how long it takes until then.
    five, seven = ({format_moment(moment + late, asked) for late in (-1, 0, 1)} for moment in (end, end + 400_000))
    assert first in {f"office/default 5h {FULL * 8}{LIGHT * 2} 82 % {moment}" for moment in five}
    assert second in {f"office/default 7d {FULL}{LIGHT * 9} 9 % {moment}" for moment in seven}
    [entry, _] = json.loads(fairlead("accounts", "list", "--json").out)["accounts"]
    assert [(one["name"], one["used"], one["resets_s"] > 0) for one in entry["limits"]] == [
        ("5h", 0.82, True),
        ("7d", 0.09, True),
    ]
    assert entry["next"]


def ask(url, body):
    """The status that a chat request gets."""
    sent = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode())
    sent.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_is_set_for_single_accounts(fairlead):
    """Limits a minute and groups are set by account, shown, and refused where they make no sense."""
    found = {"rpm": "30", "tpm": "40000", "group": "north"}
    for name, value in found.items():
        assert fairlead("config", "set", f"pool.accounts.{name}.groq/work", value).code == 0
    rows = fairlead("config", "show").out
    assert all(f"pool.accounts.{name}.groq/work" in rows for name in found)
    for name, account, value in (("rpm", "groq/work", "0"), ("tpm", "groq", "9"), ("rpm", "groq/work", "many")):
        done = fairlead("config", "set", f"pool.accounts.{name}.{account}", value)
        assert (done.code, done.out) == (1, "")
        assert f"pool.accounts.{name}" in done.err
    assert fairlead("config", "unset", "pool.accounts.rpm.groq/work").code == 0


def test_empty_list_names_the_command(fairlead):
    """No accounts: the list says how to add one."""
    code, out, err = fairlead("accounts", "list")
    assert (code, err) == (0, "")
    assert "fairlead accounts add BACKEND ALIAS --key-stdin" in out


def test_list_goes_on_beside_a_malformed_file(fairlead, provider, office):
    """A file that cannot be read is named; exit code 1."""
    path = fairlead.home / "backends" / "bad.json"
    path.touch(mode=0o600)
    path.write_text('{"schema": 1')
    code, out, err = fairlead("accounts", "list")
    assert code == 1
    assert words(out.splitlines()[1]) == "office default key stored in use"
    assert "bad.json" in err


def test_remove_says_who_is_left(fairlead, provider, office):
    """The others go on serving; when the last goes, that is said."""
    fairlead("accounts", "add", office, "work", "--key-stdin", stdin="sk-good")
    code, out, _ = fairlead("accounts", "remove", office, "DEFAULT")
    assert (code, out) == (0, "Removed office/default.\nAccounts in use: work.\n")
    code, out, _ = fairlead("accounts", "remove", office, "work")
    assert code == 0
    assert "office has no key left." in out
    assert aliases(fairlead) == []
    assert "no key stored" in fairlead("backend", "list").out


def test_test_of_one_account(fairlead, provider, office):
    """Each account's key can be tried."""
    fairlead("accounts", "add", office, "work", "--key-stdin", stdin="sk-bad")
    assert fairlead("backend", "test", office).code == 0
    code, out, _ = fairlead("backend", "test", office, "--account", "work")
    assert code == 1
    assert "key refused" in out
    code, _, err = fairlead("backend", "test", office, "--account", "wrk")
    assert code == 1
    assert "office has no account wrk." in err
    assert "Its accounts: default, work." in err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["add", "office", "default", "--key-env", "A"], 1, "already has an account named default"),
        (["add", "office", "DEFAULT", "--key-env", "A"], 1, "fairlead accounts remove office default"),
        (["add", "office", "a b", "--key-env", "A"], 1, "cannot be an account's name"),
        (["add", "office", "client", "--key-env", "A"], 1, "cannot be an account's name"),
        (["add", "nobody", "work", "--key-env", "A"], 1, "there is no backend named nobody"),
        (["add", "office", "work"], 1, "the account work needs a key"),
        (["add", "office"], 2, "ALIAS"),
        (["add", "office", "work", "--key-env", "A", "--key", "sk-secret"], 2, "cannot be used together"),
        (["add", "office", "work", "--no-key"], 2, "has no option --no-key"),
        (["add", "office", "work", "--key-cmd", "a | b"], 1, "has a | for a shell"),
        (["add", "office", "work", "--key", "two sk-secrets"], 1, "has a space"),
        (["remove", "office", "nobody"], 1, "office has no account nobody"),
        (["remove", "nobody", "default"], 1, "there is no backend named nobody"),
        (["list", "nobody"], 1, "there is no backend named nobody"),
        (["remve"], 2, "Did you mean: fairlead accounts remove"),
    ],
)
def test_bad_input(fairlead, provider, office, arguments, code, text):
    """What cannot be done is refused with what was expected; nothing changes."""
    before = fairlead.backend("office")
    done = fairlead("accounts", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words(text) in words(done.err)
    assert "Traceback" not in done.err
    assert "secret" not in done.err
    assert fairlead.backend("office") == before


def test_backend_with_the_tools_own_login_has_none(fairlead, provider):
    """Where each tool's login is passed on, a key would never be used."""
    add(fairlead, provider, "--protocols", "messages", "--auth", "client")
    code, _, err = fairlead("accounts", "add", "office", "work", "--key-stdin", stdin="sk-good")
    assert code == 1
    assert "passes on each tool's own login" in err
    assert "fairlead backend set office --key-stdin" in err


def test_help_has_examples(fairlead):
    """Each command says what it does and shows a line to type."""
    code, out, _ = fairlead("accounts", "--help")
    assert code == 0
    assert fairlead("accounts").code == 2
    for command in ("add", "list", "remove"):
        assert f"  {command}" in out
        code, text, _ = fairlead("accounts", command, "--help")
        assert code == 0
        assert f"fairlead accounts {command}" in text.partition("example")[2]
