"""`fairlead config set` and `unset`: one key, checked before it is saved."""

import pytest

from router.store.home.home import open_home


def content(fairlead):
    """The config file's text."""
    return (fairlead.home / "config.toml").read_text()


def write(fairlead, text):
    """The config file of the fixture's home."""
    open_home(fairlead.environ).write("config.toml", text.encode())


@pytest.mark.parametrize(
    ("key", "value", "shown", "saved"),
    [
        ("timeouts.idle", "2m", "timeouts.idle   2m", '[timeouts]\nidle = "2m"\n'),
        ("port", "4000", "port   4000", "port = 4000\n"),
        ("demo", "no", "demo   off", "demo = false\n"),
        ("passthrough", "ALL", "passthrough   all", 'passthrough = "all"\n'),
        ("allowed_hosts", "a, b", "allowed_hosts   a,b", 'allowed_hosts = ["a", "b"]\n'),
        ("aliases.Fast", "groq:llama", "aliases.fast   groq:llama", '[aliases]\nfast = "groq:llama"\n'),
        ("aliases.gpt-4.1", "x", "aliases.gpt-4.1   x", '[aliases]\n"gpt-4.1" = "x"\n'),
        (
            "backends.groq.timeouts.idle",
            "2m",
            "backends.groq.timeouts.idle   2m",
            '[backends.groq.timeouts]\nidle = "2m"\n',
        ),
        ("backends.g.max_tokens", "5", "backends.g.max_tokens   5", "[backends.g]\nmax_tokens = 5\n"),
        (
            "backends.g.set_headers.X-Auth",
            "hidden",
            "backends.g.set_headers.X-Auth   set",
            '[backends.g.set_headers]\nX-Auth = "hidden"\n',
        ),
    ],
)
def test_set_writes_one_key(fairlead, key, value, shown, saved):
    """A new file holds just that."""
    fairlead("backend", "add", "groq", "--base-url", "http://127.0.0.1:9", "--protocols", "chat", "--no-key")
    fairlead("backend", "add", "g", "--base-url", "http://127.0.0.1:9", "--protocols", "chat", "--no-key")
    assert fairlead("config", "set", key, value) == (0, f"{shown}\n", "")
    assert content(fairlead) == saved


def test_set_keeps_all_else(fairlead):
    """Comments, order and unknown keys; a second set replaces the first."""
    write(fairlead, "# mine\nport = 1 # why\n\n[future] # later\nx = 1\n")
    assert fairlead("config", "set", "port", "2").code == 0
    assert fairlead("config", "set", "verbose", "1").code == 0
    assert content(fairlead) == "# mine\nport = 2 # why\nverbose = 1\n\n[future] # later\nx = 1\n"
    assert fairlead("config", "unset", "verbose").out == "Removed verbose.\n"
    assert content(fairlead) == "# mine\nport = 2 # why\n\n[future] # later\nx = 1\n"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("port", "80x", 'error: port is "80x"; expected a port number'),
        ("timeouts.idle", "two minutes", 'timeouts.idle is "two minutes"; expected a number with a unit'),
        ("timouts.idle", "2m", "unknown setting timouts.idle.\n       Did you mean timeouts.idle?"),
        ("aliases.fast", "FAST", "nothing was saved: "),
        ("aliases.other", "known", 'aliases.other leads to "known", itself an alias'),
        ("backends.groq.set_headers.Host", "x", "cannot be used: fairlead writes it itself"),
        ("routes.1.model", "x", "rules cannot be set one by one"),
    ],
)
def test_what_is_wrong_is_not_saved(fairlead, key, value, said):
    """Neither a bad value nor a value that makes the whole invalid."""
    write(fairlead, '[aliases]\nknown = "a:b"\n')
    code, out, err = fairlead("config", "set", key, value)
    assert (code, out) == (1, "")
    assert said in err
    assert content(fairlead) == '[aliases]\nknown = "a:b"\n'


def test_negative_numbers_are_values(fairlead):
    """Not options; they are refused as values."""
    code, _, err = fairlead("config", "set", "backends.g.max_tokens", "-5")
    assert code == 1
    assert 'backends.g.max_tokens is "-5"; expected a whole number of tokens, 1 or more' in err


def test_secret_comes_by_standard_input(fairlead):
    """Never as an argument, never shown."""
    code, out, err = fairlead("config", "set", "api_key", "hidden-key")
    assert code == 2
    assert "not accepted as an argument" in err
    assert "hidden-key" not in err
    assert fairlead("config", "set", "api_key").code == 2
    code, out, err = fairlead("config", "set", "api_key", "--stdin", stdin="hidden-key\n")
    assert (code, out, err) == (0, "api_key   set\n", "")
    assert content(fairlead) == 'api_key = "hidden-key"\n'
    code, out, err = fairlead("config", "set", "api_key", "--stdin", stdin="hidden key of two words\n")
    assert code == 1
    assert "api_key is set; expected printable" in err
    assert "hidden" not in err
    code, _, err = fairlead("config", "set", "api_key", "--stdin", stdin="k" * 20000)
    assert (code, content(fairlead)) == (1, 'api_key = "hidden-key"\n')


def test_set_says_what_wins_over_it(fairlead):
    """A variable of this shell."""
    code, _, err = fairlead("config", "set", "verbose", "1", FAIRLEAD_VERBOSE="2")
    assert code == 0
    assert err == "note: $FAIRLEAD_VERBOSE is set in this shell and wins over config.toml.\n"


def test_running_proxy_is_told(fairlead):
    """What it cannot take up is said with the command that helps; the rest it is told to read. One that serves a single
    program is not restarted."""
    fairlead.start("proxy", "--port", "0")
    out = fairlead("config", "set", "port", "4000").out
    assert "The running proxy keeps its port. Restart it:   fairlead stop && fairlead proxy" in out
    assert "uses it now" not in out
    out = fairlead("config", "set", "timeouts.idle", "2m").out
    assert "The running proxy on :" in out
    assert "Restart" not in out
    [path] = (fairlead.home / "run").glob("*.json")
    path.write_text(path.read_text().replace('"mode":"foreground"', '"mode":"tied"'))
    assert "tied" in path.read_text()
    assert "Restart" not in fairlead("config", "set", "port", "4001").out


def test_unset_takes_tables_too(fairlead):
    """A key, its empty table, a whole table, an unknown key; names in any case."""
    write(
        fairlead,
        'x = 1\n[timeouts]\nidle = 1\n[aliases]\n"Gpt-4.1" = "a"\nb = "c"\n[backends.groq.timeouts]\nidle = 1\n'
        "[backends.local]\nmax_tokens = 5\n",
    )
    for key, left in (
        ("timeouts.idle", "[timeouts]"),
        ("aliases.gpt-4.1", "Gpt"),
        ("aliases", "aliases"),
        ("backends.groq.timeouts.idle", "groq"),
        ("backends.local", "backends"),
        ("x", "x ="),
    ):
        assert fairlead("config", "unset", key).code == 0
        assert left not in content(fairlead)
    assert content(fairlead).strip() == ""


def test_unset_of_what_is_not_there(fairlead):
    """Fine for a setting, an error for what is none."""
    assert fairlead("config", "unset", "port") == (0, "port is not set in config.toml.\n", "")
    assert fairlead("config", "unset", "aliases") == (0, "aliases is not set in config.toml.\n", "")
    code, _, err = fairlead("config", "unset", "prt")
    assert code == 1
    assert "Did you mean port?" in err
    assert not (fairlead.home / "config.toml").exists()


def test_unset_that_breaks_a_rule_is_refused(fairlead):
    """The result must hold: a rule whose only effect goes would do nothing. Rules are edited as a whole."""
    text = '[[routes]]\nmodel = "x"\n'
    write(fairlead, text)
    assert fairlead("config", "unset", "routes.model").code == 1
    assert content(fairlead) == text
    assert fairlead("config", "unset", "routes").code == 0
    assert content(fairlead).strip() == ""


def test_a_bad_value_is_not_the_files_fault(fairlead):
    """What a command gave is wrong, and nothing in the file: neither a line of it is named, nor the editor."""
    code, _, err = fairlead("config", "set", "backends.local.profile.search_tool", "nonsense")
    assert code == 1
    assert err.startswith('error: nothing was saved: backends.local.profile.search_tool is "nonsense"; expected one of')
    assert "config edit" not in err
    write(fairlead, "port = 'x'\n")
    code, _, err = fairlead("config", "set", "timeouts.idle", "2m")
    assert code == 1
    assert "config.toml, line 1" in err
    assert "fairlead config edit" in err


@pytest.mark.parametrize(
    ("key", "value", "cause", "fix"),
    [
        ("default_backend", "openrouter", "there is no backend of that name", "fairlead backend add openrouter"),
        ("tls.ca_file", "/nonexistent.pem", "cannot be read", "fairlead config unset tls.ca_file"),
        ("tls.ca_file", "KEY", "has no certificate", "PEM form"),
        ("host", "0.0.0.0", "no API key is set", "fairlead config set api_key --stdin"),
        ("log_file", "/nonexistent/log", "there is no folder /nonexistent", "mkdir -p /nonexistent"),
    ],
)
def test_what_keeps_a_proxy_from_starting_is_not_saved(fairlead, key, value, cause, fix):
    """It would be refused by the running proxy, with all later changes, and by the next start."""
    (fairlead.folder / "key").write_text("sk-x")
    code, out, err = fairlead("config", "set", key, value.replace("KEY", str(fairlead.folder / "key")))
    assert (code, out) == (1, "")
    assert err.startswith(f"error: nothing was saved: {key} is ")
    assert cause in err
    assert fix in err
    assert not (fairlead.home / "config.toml").exists()


def test_one_fault_of_several_can_be_fixed_alone(fairlead):
    """Also while the others stay, which are said."""
    write(fairlead, 'default_backend = "nobody"\ntls.ca_file = "/nonexistent.pem"\n')
    code, _, err = fairlead("config", "unset", "default_backend")
    assert code == 0
    assert "note: `fairlead proxy` would not start: config.toml, line 1: tls.ca_file is /nonexistent.pem" in err
    assert fairlead("config", "unset", "tls.ca_file").err == ""


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("backends.nope.rpm", "5", "backends.nope names the backend nope"),
        ("fallback.claude-*", "openrouter:x,demo:y", "fallback.claude-* 1 names the backend openrouter"),
        ("aliases.quick", "groq:llama", "aliases.quick names the backend groq"),
        ("model", "groq:llama", "model names the backend groq"),
        ("pool.accounts.rpm.groq/work", "5", "pool.accounts.rpm.groq/work names the backend groq"),
    ],
)
def test_a_backend_that_does_not_exist_is_warned_of(fairlead, key, value, named):
    """It may be added later, so it is saved; a model with a colon in its name is none."""
    code, _, err = fairlead("config", "set", key, value)
    assert code == 0
    assert f"{named}, which does not exist. Add it:   fairlead backend add " in err
    assert fairlead("config", "set", "aliases.local", "llama3:8b").err == ""


def test_an_engine_that_cannot_be_asked_is_warned_of(fairlead):
    """A search provider without its address is saved, and the command that completes it is said."""
    code, _, err = fairlead("config", "set", "search.provider", "searxng")
    assert code == 0
    assert "which needs its address. Set it:   fairlead config set search.base_url URL" in err
    assert fairlead("config", "set", "search.base_url", "http://127.0.0.1:1").err == ""
