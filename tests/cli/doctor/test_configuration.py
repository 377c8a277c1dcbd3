"""The checks of config.toml, the files of the backends, and the rules."""

import pytest
import trio

from router.cli.common.running_proxy import find_proxies
from router.cli.doctor.checks.configuration import list_hidden_rules, split_advice
from router.settings.tables import Condition, Rule
from router.store.home.home import open_home

from ...e2e.processes import until


@pytest.fixture
def write(fairlead):
    """Writes config.toml."""

    def write_config(text):
        fairlead.home.mkdir(mode=0o700, exist_ok=True)
        path = fairlead.home / "config.toml"
        path.write_text(text)
        path.chmod(0o600)

    return write_config


@pytest.mark.parametrize(
    ("text", "status", "said", "fix"),
    [
        ("port = 3999\n", "ok", "~/home/config.toml is valid", None),
        ("port = \n", "fail", "~/home/config.toml, line 1", "Fix it:   fairlead config edit"),
        ('\n[timeouts]\nidle = "soon"\n', "fail", "~/home/config.toml, line 3: timeouts.idle is", ""),
        ("prot = 1\n", "warn", "~/home/config.toml, line 1: ", "fairlead config edit"),
        (
            'default_backend = "groq"\n',
            "fail",
            "default_backend is groq, but there is no backend",
            "fairlead backend add groq",
        ),
        ('[tls]\nca_file = "/none.pem"\n', "fail", "/none.pem", ""),
        (
            '[fallback]\n"gpt-*" = ["nowhere:x"]\n',
            "warn",
            "names the backend nowhere, which does not exist",
            "fairlead",
        ),
    ],
)
def test_the_file(write, examine, text, status, said, fix):
    """What is wrong has its line and what to do."""
    write(text)
    row = examine("config").get("config")
    assert row["status"] == status
    assert said in row["text"]
    assert (fix or "") in (row["fix"] or "")
    assert bool(row["fix"]) or status == "ok" or fix == ""


def test_a_broken_file_stops_nothing_else(write, examine, free_port):
    """It is the first failure, and the rest goes by the defaults."""
    write("port = \n[[[\n")
    report = examine(FAIRLEAD_PORT=free_port)
    assert report.wrong() == [("config", "fail")]
    assert report.get("proxy.localhost")["status"] == "ok"


@pytest.mark.parametrize("value", ["soon", "-1", "99999"])
def test_a_variable_that_is_wrong(examine, value):
    """It is named."""
    row = examine("config", FAIRLEAD_PORT=value).get("config")
    assert row["status"] == "fail"
    assert "$FAIRLEAD_PORT" in row["text"]


@pytest.mark.parametrize("data", ["{", "[]", '{"schema": 99, "name": "groq"}'])
def test_a_backend_that_cannot_be_read(fairlead, examine, data):
    """Its file is named; the others are checked."""
    for name in ("groq", "openai"):
        fairlead("backend", "add", name, "--base-url", "http://127.0.0.1:1", "--key-env", "NOT_SET")
    (fairlead.home / "backends" / "groq.json").write_text(data)
    report = examine()
    row = report.get("config")
    assert (row["status"], row["subject"]) == ("fail", "groq")
    assert "~/home/backends/groq.json" in row["text"]
    assert report.find("backend.openai")


def test_a_proxy_that_keeps_its_previous_configuration(fairlead, write, examine):
    """Which proxy, and why."""
    fairlead.start("proxy", "--port", "0")
    write('upstream_proxy = "ftp://x"\n')

    async def reload():
        ((run, proxy),), _ = await find_proxies(open_home({"FAIRLEAD_HOME": str(fairlead.home)}))
        await proxy.reload()
        return run.port

    port = trio.run(reload)
    rows = examine("config").find("config", "fail")
    assert len(rows) == 2
    assert rows[1]["text"].startswith(f"the proxy on :{port} keeps its previous configuration: ")


def rule(name, **when):
    return Rule(name=name, when=Condition(**when))


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ({}, {"model": "gpt-*"}, True),
        ({"model": "*"}, {"client": "codex"}, True),
        ({"model": "claude-*"}, {"model": "claude-opus-*"}, True),
        ({"model": "claude-*"}, {"model": "CLAUDE-opus-5", "tools": True}, True),
        ({"client": "codex"}, {"client": "codex"}, True),
        ({"tokens_over": 1000}, {"tokens_over": 2000}, True),
        ({"tokens_under": 2000}, {"tokens_under": 1000}, True),
        ({"model": "claude-opus-*"}, {"model": "claude-*"}, False),
        ({"model": "claude-*"}, {}, False),
        ({"model": "*-mini"}, {"model": "gpt-mini"}, False),
        ({"client": "codex"}, {"client": "opencode"}, False),
        ({"client": "codex"}, {"model": "gpt-*"}, False),
        ({"tools": False}, {"tools": True}, False),
        ({"tools": False}, {}, False),
        ({"tokens_over": 2000}, {"tokens_over": 1000}, False),
        ({"tokens_over": 1000}, {"tokens_under": 500}, False),
    ],
)
def test_rules_that_are_never_used(first, second, hidden):
    """One before takes every request that they would take."""
    rows = list(list_hidden_rules([rule("one", **first), rule("two", **second)]))
    assert bool(rows) is hidden
    if hidden:
        assert rows[0].text == 'the rule "two" is never used: "one" before it takes the same requests'


def test_names_that_lead_nowhere(fairlead, provider, examine):
    """An alias whose model nobody serves is told of, once a proxy can be asked."""
    fairlead(
        "backend",
        "add",
        "box",
        "--base-url",
        f"{provider.url}/v1",
        "--protocols",
        "chat",
        "--key-stdin",
        stdin="sk-good",
    )
    fairlead("config", "set", "aliases.good", "box:model-a")
    fairlead("config", "set", "aliases.bad", "nowhere-1")
    assert examine("routes").rows == []
    fairlead.start("proxy", "--port", "0")
    row = examine("routes").get("routes")
    assert (row["status"], row["text"]) == ("warn", "the alias bad leads to nowhere-1, which no backend serves")
    assert row["fix"] == "Name another model: fairlead config set aliases.bad MODEL"
    fairlead("config", "unset", "aliases.bad")
    assert examine("routes").get("routes")["status"] == "ok"


def test_models_of_several_backends(fairlead, provider, examine):
    """Which backend gets the bare name, and how the others are asked; nothing where each has its own."""
    words = ("--base-url", f"{provider.url}/v1", "--protocols", "chat", "--key-stdin")
    fairlead("backend", "add", "box", *words, stdin="sk-good")
    fairlead.start("proxy", "--port", "0")
    assert examine("routes.twice").rows == []
    fairlead("backend", "add", "other", *words, stdin="sk-good")
    until(lambda: examine("routes.twice").rows)
    row = examine("routes.twice").get("routes.twice")
    assert row["status"] == "info"
    assert row["text"] == (
        "several backends list 2 models: text-embedding-1 goes to box, other:text-embedding-1 elsewhere; "
        "model-a goes to box, other:model-a elsewhere"
    )


@pytest.mark.parametrize(
    ("text", "wrong", "fix"),
    [
        ("it is old. Write it anew: fairlead service install", "it is old", "Write it anew: fairlead service install"),
        ("names x, which is off: `fairlead backend enable x`.", "names x, which is off", "fairlead backend enable x"),
        ("no y. Add it:   fairlead backend add y", "no y", "Add it: fairlead backend add y"),
        ("nothing to do", "nothing to do", ""),
    ],
)
def test_advice_in_a_sentence(text, wrong, fix):
    """The command stands by itself."""
    assert split_advice(text) == (wrong, fix)
