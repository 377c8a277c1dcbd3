"""Mistakes with models and routes: each is told with its cause, its place and the way out."""

import json

import pytest

from ..e2e.processes import Proxy, add_backend, backend, until
from ..e2e.samples import CHAT, MESSAGES
from ..e2e.upstream import Upstream, plain
from ..e2e.wire import ask
from .mistake import Mistake

MISTAKES = {
    "B1": Mistake("asks for a name with a typing mistake", "No backend serves the model", "Nearest: gpt-5 (up)", ""),
    "B2": Mistake(
        "asks for one over Messages", "No backend serves the model 'claude-sonet-4-5'", "claude-sonnet-4-5 (up)", ""
    ),
    "B3": Mistake("leaves the model empty", "is empty", '"model"', "`fairlead models`"),
    "B4": Mistake(
        "asks for a model of a disabled backend", "No backend serves the model", "off is disabled",
        "`fairlead backend enable off`",
    ),
    "B5": Mistake("disables the only backend", "No backend serves the model 'gpt-5'", "off is disabled",
                  "`fairlead backend enable off`"),
    "B6": Mistake("has added no backend", "No backend is configured", "'claude-sonnet-4-5'",
                  "`fairlead backend add NAME`"),
    "B7": Mistake("gives a wrong key, then asks for a model", "key refused (401)", "shut did not send its model list",
                  "`fairlead backend set shut --key-stdin`"),
    "B8": Mistake("asks for an alias of a backend that is missing", "No backend serves the model 'groq:llama-3.3'",
                  "which 'fast' stands for", "`fairlead backend add groq`"),
    "B9": Mistake("writes a rule for a backend that is missing", "names the backend groq, which does not exist",
                  "config.toml, line 11: routes 1 backend", "fairlead backend add groq"),
    "B10": Mistake("writes a rule for a client that is unknown", "is claudecode, which fairlead does not recognise",
                   "config.toml, line 15: routes 2 when.client", "did you mean claude-code?"),
    "B11": Mistake("asks what a client's rule does", '"cc" to up → yes', "rules", ""),
    "B12": Mistake("falls back to a backend that is missing", "names the backend missing, which does not exist",
                   "config.toml, line 6: fallback.gpt-*", "fairlead backend add missing"),
    "B13": Mistake("renames to a model the provider lacks", "The model `gpt-9` does not exist",
                   'model renamed by rule "renames"', "correct the rule: fairlead config edit"),
    "B14": Mistake("makes a missing backend the default", "there is no backend of that name",
                   "default_backend is openrouter", "fairlead backend add openrouter"),
    "B15": Mistake("points an alias at an alias", "an alias is one step", "aliases", "name the model"),
    "B16": Mistake("adds fairlead itself as a backend", "points to this proxy itself", "self",
                   "`fairlead backend set self --base-url URL`"),
}  # fmt: skip

CONFIG = """
[aliases]
fast = "groq:llama-3.3"

[fallback]
"gpt-*" = ["missing:x"]

[[routes]]
name = "cheap"
when.model = "cheap-*"
backend = "groq"

[[routes]]
name = "tools"
when.client = "claudecode"
backend = "up"

[[routes]]
name = "renames"
when.model = "foo*"
backend = "up"
model = "gpt-9"

[[routes]]
name = "cc"
when.client = "claude-code"
backend = "up"
"""
GONE = (
    b'{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error","code":"model_not_found"}}'
)
REFUSED = b'{"error":{"message":"Incorrect API key provided: sk-half****","code":"invalid_api_key"}}'


class Shut(Upstream):
    """An upstream that refuses every key."""

    def __init__(self):
        super().__init__()
        self._models = plain(REFUSED, status=b"401 Unauthorized")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A proxy with a backend that serves, one that is disabled and one whose key is refused, and rules that err."""
    folder = tmp_path_factory.mktemp("models")
    up, shut = Upstream(models=["gpt-5", "claude-sonnet-4-5"]), Shut()
    entries = [
        backend("up", up.root),
        backend("off", up.root) | {"enabled": False},
        backend("shut", shut.root, auth="key", key="sk-half-known"),
    ]
    configure(folder, CONFIG)
    try:
        with Proxy(folder, backends=entries) as proxy:
            proxy.settled("up")
            assert until(lambda: problem_of(proxy, "shut"))
            proxy.up = up
            yield proxy
    finally:
        up.stop()
        shut.stop()


def configure(folder, text):
    """A config.toml in the home of the proxies of this folder."""
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    path = home / "config.toml"
    path.touch(mode=0o600)
    path.write_text(text)


def problem_of(proxy, name):
    """What the status says against a backend."""
    return next(entry["problem"] for entry in proxy.status()["backends"] if entry["name"] == name)


def refusal(proxy, model, protocol=CHAT, status=404):
    """What is answered to a request for the model."""
    answer = ask(proxy.port, protocol.path, protocol.body(model))
    assert answer.status == status, answer.body
    return answer.json()["error"]["message"]


def warned(proxy, text):
    """Wait until the proxy has printed a warning; all that it knows against its configuration."""
    assert until(lambda: text in proxy.said()), proxy.said()
    problems = proxy.status()["problems"]
    assert any(text in problem for problem in problems)
    return "\n".join(problems)


@pytest.mark.parametrize("model", ["gpt-5o", "gtp-5", "GPT-5", "gpt-5 "])
def test_b1(site, model):
    """The name that was meant is in the answer."""
    MISTAKES["B1"].check(refusal(site, model))


def test_b2(site):
    """In Anthropic's form too."""
    MISTAKES["B2"].check(refusal(site, "claude-sonet-4-5", MESSAGES))


def test_b3(site):
    """The field is named, and what lists the models."""
    MISTAKES["B3"].check(refusal(site, "", status=400))


@pytest.mark.parametrize("model", ["gpt-4o", "off:gpt-5"])
def test_b4(site, model):
    """The disabled backend is named, whether the model's name says it or not."""
    MISTAKES["B4"].check(refusal(site, model))


def test_b5(fairlead, provider):
    """No demo answers for the models of a backend that was disabled while the proxy runs, or after a restart."""
    fairlead("backend", "add", "off", "--base-url", provider.url, "--protocols", "chat", "--no-key")
    with Proxy(fairlead.folder) as proxy:
        assert fairlead("backend", "disable", "off").code == 0
        MISTAKES["B5"].check(refusal(proxy, "gpt-5"))
        assert ask(proxy.port, CHAT.path, CHAT.body("demo")).status == 200
        said = fairlead("explain", "gpt-5")
        assert said.code == 1
        MISTAKES["B5"].check(said.out)
    with Proxy(fairlead.folder) as proxy:
        MISTAKES["B5"].check(refusal(proxy, "gpt-5"))


def test_b6(fairlead):
    """No model is answered by the demo but its own; a backend whose file is broken is named."""
    with Proxy(fairlead.folder) as proxy:
        MISTAKES["B6"].check(refusal(proxy, "claude-sonnet-4-5", MESSAGES))
        assert "ask for the model demo" in refusal(proxy, "gpt-5")
        add_backend(proxy.home, backend("torn", "http://127.0.0.1:9/v1") | {"root": 5})
        assert fairlead("config", "set", "verbose", "1").code == 0
        said = refusal(proxy, "gpt-5")
        assert "torn cannot be read: ~/home/backends/torn.json: root: expected str, got int: " in said
        assert "`fairlead backend remove torn`" in said


def test_b7(site, fairlead):
    """The reason is in the answer, without a word of the provider's about the key."""
    said = refusal(site, "gpt-4o")
    MISTAKES["B7"].check(said)
    assert "sk-half" not in said
    shown = fairlead("explain", "shut:gpt-5", FAIRLEAD_HOME=str(site.home))
    assert (
        "problem    did not send its model list: key refused (401): `fairlead backend set shut --key-stdin`"
        in shown.out
    )


def test_b8(site):
    """The alias, what it stands for, and what is missing."""
    MISTAKES["B8"].check(refusal(site, "fast"))


def test_b9(site, fairlead):
    """At the start, in the status, and in `explain`."""
    MISTAKES["B9"].check(warned(site, "routes 1 backend"))
    shown = fairlead("explain", "cheap-1", FAIRLEAD_HOME=str(site.home))
    assert '"cheap" matches, but its backend groq is not configured → no' in shown.out


def test_b10(site):
    """The known names are listed."""
    MISTAKES["B10"].check(warned(site, "routes 2 when.client"))


def test_b11(site, fairlead):
    """One option makes the question look like the client's; the help lists the names."""
    shown = fairlead("explain", "gpt-5", "--client", "claude-code", FAIRLEAD_HOME=str(site.home))
    MISTAKES["B11"].check(shown.out)
    assert "claude-code, codex, opencode, cline, continue, " in fairlead("explain", "--help", COLUMNS="200").out
    assert "claude-code" in fairlead("explain", "gpt-5", "--client", "claudecode").err


def test_b12(site):
    """At the start, and in the status."""
    MISTAKES["B12"].check(warned(site, "names the backend missing"))


def test_b13(site, fairlead):
    """The provider's words stay; the answer's head and the record name the rule."""
    site.up.script(plain(GONE, status=b"404 Not Found"))
    answer = ask(site.port, CHAT.path, CHAT.body("foo1"))
    assert (answer.status, answer.body, answer.field(b"x-fairlead-rule")) == (404, GONE, b"renames")
    MISTAKES["B13"].check(answer.body.decode(), fairlead("why", "-", FAIRLEAD_HOME=str(site.home)).out)


def test_b14(fairlead, provider):
    """A default that is missing is refused before it is saved, so that it stops no later change and no start."""
    with Proxy(fairlead.folder) as proxy:
        code, out, err = fairlead("config", "set", "default_backend", "openrouter")
        assert code == 1
        MISTAKES["B14"].check(out, err)
        assert fairlead("config", "set", "aliases.quick", "demo").code == 0
        assert ask(proxy.port, CHAT.path, CHAT.body("quick")).status == 200
        fairlead("backend", "add", "openrouter", "--base-url", provider.url, "--protocols", "chat", "--no-key")
        assert fairlead("config", "set", "default_backend", "openrouter").code == 0


def test_b15(fairlead):
    """It is refused before it is saved."""
    fairlead("config", "set", "aliases.one", "gpt-5")
    done = fairlead("config", "set", "aliases.two", "one")
    assert done.code != 0
    MISTAKES["B15"].check(done.err)


def test_b16(fairlead):
    """It is not used: a request that names it ends at once, and the demo's models stay the demo's."""
    with Proxy(fairlead.folder) as proxy:
        add_backend(proxy.home, backend("self", f"http://localhost:{proxy.port}/v1"))
        assert fairlead("config", "set", "verbose", "1").code == 0
        MISTAKES["B16"].check(warned(proxy, "this proxy itself"))
        MISTAKES["B16"].check(refusal(proxy, "self:demo", status=508))
        answer = ask(proxy.port, CHAT.path, CHAT.body("demo"))
        assert (answer.status, answer.field(b"x-fairlead-backend")) == (200, b"demo")
        other = json.loads(fairlead("models", "--json").out)["models"]
        assert {entry["backend"] for entry in other} == {"demo"}
