"""`fairlead config export` and `import`: settings from and to elsewhere, line by line, and nothing unasked."""

import json
import os
import sys
import tomllib

import pytest

from router.backends import Backend
from router.store.config import backends
from router.store.home.home import open_home

CCR = """{
  // my router
  "LOG": true,
  "PORT": 3457, "HOST": "127.0.0.1", "APIKEY": "hidden-api-key", "API_TIMEOUT_MS": "600000", "PROXY_URL": "",
  "Providers": [
    {
      "name": "openrouter",
      "api_base_url": "https://openrouter.ai/api/v1/chat/completions", /* whole */
      "api_key": "$OPENROUTER_API_KEY",
      "models": ["anthropic/claude-sonnet-4"],
      "transformer": {"use": ["openrouter"]}
    },
    {
      "name": "My Deep",
      "api_base_url": "https://api.deepseek.com/chat/completions",
      "api_key": "hidden-deep-key",
      "transformer": {"use": [["maxtoken", {"max_tokens": 8192}]], "deepseek-chat": {"use": ["tooluse"]}}
    },
    {"name": "gemini", "api_key": "${G_KEY}",
     "api_base_url": "https://generativelanguage.googleapis.com/v1beta/models/"},
    {"name": "ollama", "api_base_url": "http://localhost:11434/v1/chat/completions", "api_key": "ollama"},
    {"name": "box", "api_base_url": "https://box.example/api/anthropic/v1/messages", "api_key": "hidden-box-key"},
    {"name": "runs", "api_base_url": "https://box.example/v1/chat/completions", "api_key": "cmd:touch /tmp/hidden"},
    {"name": "open", "api_base_url": "http://8.8.8.8/v1/chat/completions", "api_key": "hidden-1"},
    {"name": "withkey", "api_base_url": "https://u:hidden-2@box.example/v1", "api_key": "x"},
    {"name": "///", "api_base_url": "https://box.example/v1"},
    {"name": "nourl"},
    "nothing",
  ],
  "Router": {
    "default": "openrouter,anthropic/claude-sonnet-4",
    "background": "ollama,qwen2.5-coder:latest",
    "think": "my deep,deepseek-reasoner",
    "longContext": "gemini,gemini-2.5-pro", "longContextThreshold": 100000,
    "webSearch": "gemini,x",
    "image": "open,x"
  },
  "StatusLine": {"enabled": true}, "CUSTOM_ROUTER_PATH": "", "later": 1,
}
"""

LITELLM = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 480}
  - model_name: gpt-4o
    litellm_params: {model: azure/gpt-4o-eu, api_base: "https://x.openai.azure.com", api_key: os.environ/AZ}
  - model_name: claude
    litellm_params: {model: claude-sonnet-4-5, api_key: hidden-claude-key}
  - model_name: local
    litellm_params: {model: "ollama_chat/llama3:8b", api_base: "http://localhost:11434"}
  - model_name: office
    litellm_params: {model: openai/qwen, api_base: "http://10.0.0.9:8000/v1", api_key: none, temperature: 0.1}
  - model_name: Gpt-5
    litellm_params: {model: openai/gpt-5, api_key: hidden-second-key}
  - model_name: "*"
    litellm_params: {model: "openai/*", api_key: os.environ/OPENAI_API_KEY}
  - model_name: "anthropic/*"
    litellm_params: {model: "anthropic/*", api_key: hidden-claude-key}
  - model_name: gpt-4o
    litellm_params: {model: groq/other, api_key: os.environ/GROQ_API_KEY}
  - model_name: lost
    litellm_params: {model: openai/x, api_base: os.environ/BASE}
  - model_name: runs
    litellm_params: {model: mistral/x, api_key: "file:/etc/hidden"}
  - nothing
router_settings:
  model_group_alias: {gpt-4: gpt-4o, tiny: {model: office, hidden: true}, gone: nope}
  num_retries: 3
litellm_settings:
  request_timeout: 600
  fallbacks: [{gpt-4o: [claude]}]
general_settings:
  master_key: hidden-master
  database_url: postgresql://hidden
environment_variables: {A: hidden-variable}
"""


@pytest.fixture
def given(fairlead):
    """Writes a file beside the home; its path."""

    def write(name, text):
        path = fairlead.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def tree(fairlead):
    """What config.toml holds."""
    return tomllib.loads((fairlead.home / "config.toml").read_text())


def stored(fairlead):
    """name -> root, protocols, keys of the stored backends."""
    found, problems = backends.load(open_home(fairlead.environ))
    assert problems == ()
    return {entry.name: (entry.root, entry.protocols, [account.key for account in entry.accounts]) for entry in found}


@pytest.mark.parametrize(("name", "text"), [("config.json", CCR), ("config.yaml", LITELLM)])
def test_nothing_is_written_unasked(fairlead, given, name, text):
    """Without a terminal and --yes it is a dry run that says how to write; no key is shown."""
    code, out, err = fairlead("config", "import", given(name, text))
    assert (code, err) == (0, "")
    assert "Nothing was written. Write it:   fairlead config import" in out
    assert "hidden" not in out
    assert not (fairlead.home / "config.toml").exists()
    assert stored(fairlead) == {}


def test_claude_code_router(fairlead, given):
    """Providers become backends, the router rules, the rest settings; what has no counterpart is said with why."""
    code, out, err = fairlead("config", "import", given("config.json", CCR), "--yes")
    assert (code, err) == (0, "")
    assert "hidden" not in out
    assert stored(fairlead) == {
        "openrouter": ("https://openrouter.ai/api/v1", ("messages", "chat", "responses"), ["env:OPENROUTER_API_KEY"]),
        "my-deep": ("https://api.deepseek.com", ("chat", "responses"), ["hidden-deep-key"]),
        "gemini": ("https://generativelanguage.googleapis.com/v1beta/openai", ("chat", "gemini"), ["env:G_KEY"]),
        "ollama": ("http://localhost:11434/v1", ("messages", "chat", "responses"), []),
        "box": ("https://box.example/api/anthropic/v1", ("messages",), ["hidden-box-key"]),
    }
    rule = {"model": "claude-*"}
    assert tree(fairlead) == {
        "port": 3457,
        "host": "127.0.0.1",
        "api_key": "hidden-api-key",
        "timeouts": {"total": "600000ms"},
        "backends": {"my-deep": {"max_tokens": 8192}},
        "routes": [
            {
                "name": "long context",
                "when": {**rule, "tokens_over": 100000},
                "backend": "gemini",
                "model": "gemini-2.5-pro",
            },
            {
                "name": "background",
                "when": {"model": "claude-*haiku*"},
                "backend": "ollama",
                "model": "qwen2.5-coder:latest",
            },
            {
                "name": "thinking",
                "when": {**rule, "thinking": True},
                "backend": "my-deep",
                "model": "deepseek-reasoner",
            },
            {"name": "default", "when": rule, "backend": "openrouter", "model": "anthropic/claude-sonnet-4"},
        ],
    }
    left = out.partition("Left out:")[2]
    for what in (
        *("Providers runs", "Providers open ", "Providers withkey", "Providers ///", "Providers 10"),
        *("Providers 11", "Router.webSearch", "Router.image", "LOG", "StatusLine", "later", "openrouter models"),
        "transformer tooluse for deepseek-chat",
    ):
        assert what in left
    assert "CUSTOM_ROUTER_PATH" not in out
    assert fairlead("config", "show").code == 0


def test_litellm(fairlead, given):
    """Deployments become backends, accounts and aliases; groups the final model, since an alias is one step."""
    code, out, err = fairlead("config", "import", given("config.yaml", LITELLM), "--yes")
    assert (code, err) == (0, "")
    assert "hidden" not in out
    assert stored(fairlead) == {
        "openai": ("https://api.openai.com/v1", ("chat", "responses"), ["env:OPENAI_API_KEY", "hidden-second-key"]),
        "anthropic": ("https://api.anthropic.com/v1", ("messages",), ["hidden-claude-key"]),
        "ollama": ("http://localhost:11434/v1", ("messages", "chat", "responses"), []),
        "10-0-0-9": ("http://10.0.0.9:8000/v1", ("chat",), ["none"]),
        "groq": ("https://api.groq.com/openai/v1", ("chat", "responses"), ["env:GROQ_API_KEY"]),
    }
    assert tree(fairlead) == {
        "default_backend": "openai",
        "api_key": "hidden-master",
        "timeouts": {"total": "600s"},
        "aliases": {
            "gpt-4o": "openai:gpt-4o",
            "claude": "anthropic:claude-sonnet-4-5",
            "local": "ollama:llama3:8b",
            "office": "10-0-0-9:qwen",
            "gpt-5": "openai:gpt-5",
            "gpt-4": "openai:gpt-4o",
            "tiny": "10-0-0-9:qwen",
        },
    }
    left = out.partition("Left out:")[2]
    for what in (
        *("gpt-4o rpm", "model_list 2 gpt-4o", "office temperature", "model_group_alias gone", "num_retries"),
        *("fallbacks", "database_url", "environment_variables", "model_list 10 lost", "model_list 11 runs"),
        *("model_list 12", "anthropic/* as a pattern", "model_list 9 gpt-4o as another target"),
    ):
        assert what in left


def test_what_exists_stays(fairlead, given):
    """Backends and rules are not replaced; settings are, and their old value is said. Twice is as once."""
    home = open_home(fairlead.environ)
    own = Backend(name="openrouter", root="https://mine.example/v1", protocols=("chat",), auth="none")
    backends.save(home, own)
    home.write("config.toml", b'# mine\nport = 1 # why\n[[routes]]\nname = "default"\nmodel = "x"\n')
    path = given("config.json", CCR)
    code, out, _ = fairlead("config", "import", path, "--yes")
    assert code == 0
    assert "port = 3457   (was 1)" in out
    assert "a backend openrouter exists; it stays as it is" in out
    assert stored(fairlead)["openrouter"] == ("https://mine.example/v1", ("chat",), [])
    first = (fairlead.home / "config.toml").read_text()
    assert first.startswith("# mine\nport = 3457 # why\n")
    # The rule of that name stays; and none leads to the provider that is another's backend.
    assert [rule["name"] for rule in tree(fairlead)["routes"]] == ["default", "long context", "background", "thinking"]
    assert fairlead("config", "import", path, "--yes").code == 0
    assert (fairlead.home / "config.toml").read_text() == first


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX terminal")
@pytest.mark.parametrize(("answer", "written"), [("y", True), ("", False), ("n", False)])
def test_on_a_terminal_it_asks(fairlead, given, answer, written):
    """Only a yes is one."""
    from ..terminals import on_terminal

    path = given("config.yaml", "model_list: []\nlitellm_settings: {request_timeout: 60}\n")
    code, said = on_terminal(fairlead, ["config", "import", path], [answer])
    assert code == 0
    assert "Write this? [y/N]" in said
    assert (fairlead.home / "config.toml").exists() == written


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", "{", "line 1, column 2: invalid JSON"),
        ("x.json", '{"Providers": [1 2]}', "invalid JSON"),
        ("x.yaml", "a: " + "9" * 5000, "has a value that cannot be read"),
        ("x.yaml", "a: " + "[" * 5000, "line 1: brackets are nested over 64 deep"),
        ("x.json", "[]", "has no settings"),
        ("x.json", '{"a": 1}', "is not a file that can be imported"),
        ("x.json", '{"a": ' + "[" * 20000, "nested too deep"),
        ("x.yaml", "a: [", "invalid YAML"),
        ("x.yaml", "a: !!python/object/apply:os.system ['true']\nmodel_list: []", "invalid YAML"),
        ("x.yaml", "- 1\n", "has no settings"),
        ("x.yaml", "a: \x00", "invalid YAML"),
        ("x.yaml", "", "has no settings"),
        ("x.yaml", b"\xff\xfe", "line 1: not UTF-8"),
        ("x.toml", "port = \n", "line 1, column 8: invalid TOML"),
        ("x.toml", "port = 'x'\n", 'line 1: port is "x"; expected a port number'),
        ("x.json", " " * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_file_that_cannot_be_read(fairlead, given, name, text, said):
    """It is said where it is wrong; nothing is written, nothing in it is run."""
    code, out, err = fairlead("config", "import", given(name, text), "--yes")
    assert (code, out) == (1, "")
    assert said in err
    assert not (fairlead.home / "config.toml").exists()


def test_no_file(fairlead):
    """As for other programs."""
    code, _, err = fairlead("config", "import", "nowhere.json")
    assert code == 1
    assert err.startswith("error: nowhere.json cannot be read: ")
    assert fairlead("config", "import", "x", "--from", "nginx").code == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"Providers": {"a": 1}, "Router": []}',
        '{"Providers": [null, 1, {"name": 1}, {"name": "a", "api_base_url": 5}, {"name": "", "api_base_url": ""}]}',
        '{"Providers": [], "Router": {"default": 5, "think": "a", "longContext": ",", "background": "a,"}}',
        '{"Providers": [{"name": "a", "api_base_url": "https://a.example", "transformer": {"use": [[], [1], null]}}]}',
        '{"Providers": [], "PORT": true, "HOST": [], "APIKEY": 5.5, "API_TIMEOUT_MS": -1}',
        '{"model_list": {"a": 1}}',
        '{"model_list": [null, {}, {"model_name": "a"}, {"model_name": "a", "litellm_params": {"model": "/"}}]}',
        '{"model_list": [{"model_name": "", "litellm_params": {"model": "openai/x", "api_key": 5, "api_base": 7}}]}',
        '{"model_list": [], "router_settings": {"model_group_alias": [1], "timeout": "x"}, "general_settings": 3}',
        "model_list: []\nlitellm_settings: {request_timeout: 0x" + "f" * 5000 + "}",
        "? 0x" + "f" * 5000 + "\n: 1\nmodel_list: [{0xff: 1}]",
        "a: &a [x, x]\nb: &b [*a, *a]\nmodel_list: &c [*b, *b]\nrouter_settings: {model_group_alias: {x: *c}}",
        '{"model_list": [], "litellm_settings": {"request_timeout": true}, "general_settings": {"master_key": [1]}}',
    ],
)
def test_odd_files_are_no_crash(fairlead, given, text):
    """Whatever stands where something else is expected is left out."""
    code, out, err = fairlead("config", "import", given("x.json", text))
    assert (code, err) == (0, "")
    assert "Left out:" in out or "Nothing in the file" in out or "Imported:" in out


OWN = """# mine
api_key = "hidden-key"
port = 4000
openai_api_key = "hidden-too"
[timeouts]
idle = "2m"
[aliases]
fast = "groq:llama"
[[routes]]
name = "one"
when = {tokens_over = 5}
model = "x"
set_headers = {X-Auth = "hidden-header", X-Title = "mine"}
[backends.groq]
timeouts = {idle = "3s"}
set_fields = {"a.b" = {c = 1}}
"""


def test_export_can_be_shared_and_taken_in(fairlead, given):
    """Without secrets, comments and unknown keys; another home that imports it has the rest."""
    home = open_home(fairlead.environ)
    home.write("config.toml", OWN.encode())
    code, out, err = fairlead("config", "export")
    assert code == 0
    assert "hidden" not in out + err
    assert "mine\n" not in out
    for name in ("api_key", "openai_api_key", "routes 1 set_headers.X-Auth"):
        assert f"left out: {name}, " in err
    wanted = tomllib.loads(OWN)
    del wanted["api_key"], wanted["openai_api_key"], wanted["routes"][0]["set_headers"]["X-Auth"]
    assert tomllib.loads(out) == wanted
    assert fairlead("config", "export", "out.toml").out == "Wrote out.toml.\n"
    assert (fairlead.folder / "out.toml").read_text() == out
    code, _, err = fairlead("config", "export", "out.toml")
    assert (code, "out.toml exists" in err) == (1, True)
    other = {"FAIRLEAD_HOME": str(fairlead.folder / "other")}
    code, _, err = fairlead("config", "import", "out.toml", "--yes", **other)
    assert (code, err) == (0, "")
    assert tomllib.loads((fairlead.folder / "other" / "config.toml").read_text()) == wanted


def test_export_of_nothing(fairlead):
    """No file is no settings."""
    assert fairlead("config", "export") == (0, "", "")


def test_import_of_ones_own_file(fairlead, given):
    """Unknown keys are left out; a key in it is taken, being in the file that was named."""
    code, out, _ = fairlead("config", "import", given("x.toml", OWN), "--yes")
    assert code == 0
    assert "hidden" not in out
    assert tree(fairlead)["api_key"] == "hidden-key"
    assert "openai_api_key" not in tree(fairlead)
    assert tree(fairlead)["routes"][0]["set_headers"] == {"X-Auth": "hidden-header", "X-Title": "mine"}


def test_stored_keys_are_private(fairlead, given):
    """Mode 0600 for backends and settings; the order of the file is the order added."""
    assert fairlead("config", "import", given("c.json", CCR), "--yes").code == 0
    home = open_home(fairlead.environ)
    names = [entry.name for entry in backends.load(home)[0]]
    assert names == ["openrouter", "my-deep", "gemini", "ollama", "box"]
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o77 == 0 for path in home.path.rglob("*.*"))
    assert json.loads((home.path / "backends" / "box.json").read_text())["auth"] == "key"


@pytest.mark.parametrize("form", ["claude-code-router", "litellm"])
def test_a_file_of_thousands_of_entries_is_refused(fairlead, given, form):
    """Each entry is compared with those before it, and nobody reads so many lines."""
    providers = [{"name": f"p{at}", "api_base_url": "https://a.example"} for at in range(2500)]
    models = [{"model_name": f"m{at}", "litellm_params": {"model": f"openai/{at}"}} for at in range(2500)]
    text = {"claude-code-router": {"Providers": providers}, "litellm": {"model_list": models}}[form]
    code, out, err = fairlead("config", "import", given("x.json", json.dumps(text)), "--yes")
    assert (code, out) == (1, "")
    assert "over 2,000 entries" in err
