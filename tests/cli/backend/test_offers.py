"""What `fairlead backend add` offers: without a name, for a local server, for a key in a variable, and after others."""

import sys

import msgspec
import pytest

from router.backends.known import KNOWN
from router.cli.backend import key
from router.net.control import local_servers
from router.net.loopback import has_address

from ...local_servers import model_server
from ..setup.conftest import InProcess


@pytest.fixture
def fairlead(tmp_path, monkeypatch, capsys):
    """Runs commands in this process, on a machine without model servers."""
    monkeypatch.setattr(local_servers, "PORTS", {})
    monkeypatch.setattr(local_servers, "SECONDS", 20.0)
    monkeypatch.setattr(local_servers, "PATIENT_SECONDS", 20.0)
    return InProcess(tmp_path, monkeypatch, capsys)


def serve(monkeypatch, **ports):
    monkeypatch.setattr(local_servers, "PORTS", ports)


def test_without_a_name(fairlead, monkeypatch):
    """What was found is listed with the command that adds it, and nothing is added."""
    code, out, err = fairlead("backend", "add")
    assert (code, err) == (0, "")
    assert out.startswith(
        "No model server answers on this machine's usual ports, and no variable here has a provider's"
    )
    assert "Known providers: openai, anthropic, " in out
    with model_server("vllm") as (port, _):
        serve(monkeypatch, vllm=port)
        code, out, err = fairlead("backend", "add", XAI_API_KEY="xai-secret")
    assert (code, err) == (0, "")
    assert [" ".join(line.split()) for line in out.splitlines()[:3]] == [
        "Found here, and not added:",
        f"vLLM 0.14.0 answers at http://127.0.0.1:{port} fairlead backend add vllm",
        "xAI: a key is in $XAI_API_KEY fairlead backend add xai --key-env XAI_API_KEY",
    ]
    assert "secret" not in out
    assert [path for path in fairlead.home.rglob("*") if path.is_file()] == []


def test_options_without_a_name(fairlead):
    """Options of a backend that is not named are an error, not a list."""
    code, _, err = fairlead("backend", "add", "--no-key")
    assert code == 2
    assert "no backend is named." in err


@pytest.mark.skipif(not has_address("::1"), reason="no ::1 here")
def test_a_server_on_ipv6_alone(fairlead, monkeypatch):
    """A local server is added with the address at which it answers; one that is there keeps its own."""
    with model_server("ollama", "::1") as (port, _):
        serve(monkeypatch, ollama=port)
        code, out, err = fairlead("backend", "add", "ollama")
        assert code == 0
        assert "reached in" in out
        assert f"Ollama answers at http://[::1]:{port}/v1, and not at its usual http://127.0.0.1:11434/v1." in err
        stored = fairlead.backend("ollama")
        assert (stored["root"], stored["vendor"]) == (f"http://[::1]:{port}/v1", "ollama")
        assert fairlead("backend", "add", "ollama", "--base-url", "http://127.0.0.1:9").code == 0
        assert fairlead("backend", "add", "ollama").code == 0
        assert fairlead.backend("ollama")["root"] == "http://127.0.0.1:9/v1"


def test_another_program_on_its_port(fairlead, monkeypatch):
    """What is not the server that was asked for is not taken for its address."""
    with model_server("vllm") as (port, _):
        serve(monkeypatch, ollama=port)
        code, _, err = fairlead("backend", "add", "ollama")
    assert code == 0
    assert "answers at" not in err
    assert fairlead.backend("ollama")["root"] == "http://127.0.0.1:11434/v1"


def test_after_others(fairlead, provider, monkeypatch):
    """On a terminal the local servers that are not added are offered after another backend; in a pipe nothing is."""
    provider.needs_key = False
    arguments = ("backend", "add", "office", "--base-url", provider.url, "--protocols", "chat", "--no-key")
    with model_server("llamacpp") as (port, _):
        serve(monkeypatch, llamacpp=port)
        assert "llama.cpp" not in fairlead(*arguments).out
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
            code, out, err = fairlead(*arguments)
    assert (code, err) == (0, "")
    assert out.endswith(
        f"Also found here:\n  llama.cpp b7000-abc answers at http://127.0.0.1:{port}   fairlead backend add llamacpp\n"
    )


def test_key_in_a_variable(fairlead, monkeypatch):
    """The question for a key names the variable that has one, and Enter takes it; without a terminal it is named in
    what to do."""
    code, _, err = fairlead("backend", "add", "groq", GROQ_API_KEY="gsk_secret")
    assert code == 1
    assert "fairlead backend add groq --key-env GROQ_API_KEY" in err
    assert "gsk_secret" not in err
    code, _, err = fairlead("backend", "add", "groq", GROQ_API_KEY=" ")
    assert "--key-env VAR" in err
    asked = []
    monkeypatch.setattr(key, "has_terminal", lambda: True)
    monkeypatch.setattr(key, "ask", lambda prompt: asked.append(prompt) or "")
    monkeypatch.setitem(KNOWN, "groq", msgspec.structs.replace(KNOWN["groq"], root="http://127.0.0.1:9/v1"))
    arguments = ("backend", "add", "groq")
    assert fairlead(*arguments, GROQ_API_KEY="gsk_secret").code == 0
    assert asked == ["Key for groq (not shown, empty for $GROQ_API_KEY): "]
    assert fairlead.backend("groq")["accounts"] == [{"alias": "default", "key": "env:GROQ_API_KEY"}]
    fairlead("backend", "remove", "groq")
    code, _, err = fairlead(*arguments)
    assert (code, asked[-1]) == (1, "Key for groq (not shown): ")
    assert "the key is empty" in err
    # It was meant for the provider, and not for a gateway.
    fairlead(*arguments, "--base-url", "http://10.0.0.7:9", GROQ_API_KEY="gsk_secret")
    assert asked[-1] == "Key for groq (not shown): "
