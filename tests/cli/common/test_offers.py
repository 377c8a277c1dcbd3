"""What could be added: keys by the name of their variable, and local servers; nothing that is configured already."""

import pytest

from router.backends import Account, Backend
from router.backends.known import KNOWN
from router.cli.common.offers import find_offers, offer_keys, offer_servers
from router.net.control import local_servers
from router.settings import Settings
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import open_home
from router.store.keys.client_keys import make_tool_key

from ...local_servers import KEYED_VLLM, model_server


@pytest.fixture
def home(tmp_path):
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})


def add(home, name, root, vendor="", key=""):
    accounts = (Account("default", key),) if key else ()
    auth = "key" if key else "none"
    backends.save(home, Backend(name=name, root=root, protocols=("chat",), vendor=vendor, auth=auth, accounts=accounts))


def test_keys_by_name(home):
    """Each provider whose variable is set is offered with that name; the value is in nothing that is kept."""
    environ = {"GROQ_API_KEY": "gsk_secret", "OPENAI_API_KEY": "sk-proj-secret", "PATH": "/bin"}
    found = offer_keys(home, Settings(), environ)
    assert [one.command for one in found] == [
        "fairlead backend add openai --key-env OPENAI_API_KEY",
        "fairlead backend add groq --key-env GROQ_API_KEY",
    ]
    assert found[0].about == "OpenAI: a key is in $OPENAI_API_KEY"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OPENAI_API_KEY": ""},
        {"OPENAI_API_KEY": "  \n"},
        {"OPENAI_API_KEY": '"sk-proj-1"'},
        {"OPENAI_API_KEY": "$OPENAI_API_KEY"},
        {"OPENAI_API_KEY": "your-key-here"},
        {"OPENAI_API_KEY": "two words"},
        {"OPENAI_API_KEY": "fairlead"},
        {"OPENAI_API_KEY": "fl-" + "a" * 43},
        {"OPENAI_API_KEY": "sk-ant-api03-1"},
        {"OPENAI_API_KEY": "sk-proj-1", "OPENAI_BASE_URL": "http://localhost:3456/v1"},
        {"OPENAI_API_KEY": "sk-proj-1", "OPENAI_BASE_URL": "https://gateway.example/v1"},
        {"OPENAI_API_KEY": "sk-proj-1", "OPENAI_BASE_URL": "http://[bad"},
        {"ANTHROPIC_API_KEY": "sk-ant-1", "ANTHROPIC_BASE_URL": "http://localhost:4000"},
        {"openai_api_key": "sk-proj-1"},
    ],
)
def test_keys_that_are_none(home, environ):
    """A value that is empty, cannot be a key, is fairlead's own or was meant for another place is not offered."""
    assert offer_keys(home, Settings(), environ) == []


def test_own_keys(home):
    """A client key of this home, as `fairlead run` sets it, is no provider's key."""
    key = make_tool_key(home, "codex").reveal()
    assert offer_keys(home, Settings(), {"GROQ_API_KEY": key}) == []


def test_second_variable_and_base_url(home):
    """The first variable of a provider that has a key is offered; its own base URL is no other place."""
    environ = {
        "GEMINI_API_KEY": " ",
        "GOOGLE_API_KEY": "AIza-1",
        "OPENAI_API_KEY": "sk-1",
        "OPENAI_BASE_URL": "https://api.openai.com/v1",
    }
    assert [one.arguments[-1] for one in offer_keys(home, Settings(), environ)] == ["OPENAI_API_KEY", "GOOGLE_API_KEY"]


def test_configured_keys(home):
    """A provider that is configured, under any name, is not offered, nor is one whose file cannot be read."""
    add(home, "work", KNOWN["openai"].root, "openai", "sk-1")
    add(home, "groq", "https://groq.example/v1", "groq", "gsk_1")
    home.write("backends/mistral.json", b"{")
    environ = {"OPENAI_API_KEY": "sk-2", "GROQ_API_KEY": "gsk_2", "MISTRAL_API_KEY": "m", "XAI_API_KEY": "xai-1"}
    assert [one.name for one in offer_keys(home, Settings(), environ)] == ["xai"]


def test_each_variable_is_of_one_provider():
    """No variable stands for two providers, but for the services of Bedrock, which take the same keys; and servers
    of the user's own need none."""
    names = [name for entry in KNOWN.values() for name in entry.key_variables]
    assert {name for name in names if names.count(name) > 1} == {"AWS_BEARER_TOKEN_BEDROCK"}
    assert [entry.name for entry in KNOWN.values() if entry.key_variables and not entry.needs_key] == []


def test_servers(home, monkeypatch):
    """A server that answers is offered; not where its port or its name is configured, nor where it is fairlead's."""
    with model_server("ollama") as (port, _):
        monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
        monkeypatch.setattr(local_servers, "PATIENT_SECONDS", 20)
        found = find_offers(home, Settings(), {"GROQ_API_KEY": "gsk_1"})
        assert [one.command for one in found] == [
            "fairlead backend add ollama",
            "fairlead backend add groq --key-env GROQ_API_KEY",
        ]
        assert found[0].about == f"Ollama 0.13.1 answers at http://127.0.0.1:{port}"
        assert offer_servers(home, None, 20) == found[:1]
        assert offer_servers(home, Settings(port=port), 20) == []
        add(home, "mine", f"http://localhost:{port}/v1")
        assert offer_servers(home, Settings(), 20) == []
        backends.discard(home, "mine")
        assert offer_servers(home, Settings(), 20) == found[:1]
        add(home, "ollama", "http://10.0.0.7:11434/v1", "ollama")
        assert offer_servers(home, Settings(), 20) == []


def test_a_server_that_wants_a_key(home, monkeypatch):
    """The command that is offered asks for the key."""
    with model_server("vllm", answers=KEYED_VLLM) as (port, _):
        monkeypatch.setattr(local_servers, "PORTS", {"vllm": port})
        [offer] = offer_servers(home, Settings(), 20)
    assert offer.command == "fairlead backend add vllm --key-stdin"
    assert offer.about == f"vLLM 0.14.0 answers at http://127.0.0.1:{port}, and wants a key"


def test_a_running_proxy_is_not_asked(home, monkeypatch):
    """A port on which a proxy of this home runs is left alone."""
    import os

    with model_server("ollama") as (port, seen):
        monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
        url = f"http://127.0.0.1:{port}"
        run_files.write(home, run_files.Run(pid=os.getpid(), url=url, port=port, version="1", started=0.0))
        assert offer_servers(home, Settings(), 20) == []
    assert seen == []
