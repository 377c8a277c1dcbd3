"""The checks of model servers of this machine."""

import json

import pytest

from router.net.control import local_servers

from ...local_servers import OLLAMA, model_server

FEWER = "Ollama gives fewer tokens than coding agents' prompts have"


def ollama(loaded=(), shown=None, models=("qwen3:8b",)):
    """What an Ollama answers. loaded: model -> the window that is allocated for it."""
    listed = {"data": [{"id": name, "owned_by": "library"} for name in models]}
    running = {"models": [{"name": name, "model": name, "context_length": window} for name, window in loaded]}
    return {
        **OLLAMA,
        "/v1/models": (200, "", json.dumps(listed).encode()),
        "/api/ps": (200, "", json.dumps(running).encode()),
        "/api/show": (200, "", json.dumps(shown or {"parameters": "", "model_info": {}}).encode()),
    }


@pytest.mark.parametrize(
    ("answers", "status", "text"),
    [
        (
            ollama([("qwen3:8b", 4096)]),
            "warn",
            f"{FEWER}: qwen3:8b 4,096. It cuts what is longer, and does not say so",
        ),
        (ollama([("qwen3:8b", 65536)]), "ok", "Ollama gives at least 65,536 tokens"),
        (
            ollama(shown={"parameters": "num_ctx                        8192", "model_info": {}}),
            "warn",
            f"{FEWER}: qwen3:8b 8,192. It cuts what is longer, and does not say so",
        ),
        (ollama(models=()), "warn", "Ollama has no model"),
        (ollama(), None, ""),
    ],
)
def test_ollama(fairlead, examine, answers, status, text):
    """Its window is told where it is known; one that is not loaded says nothing."""
    with model_server("", answers=answers) as (port, _):
        assert fairlead("backend", "add", "ollama", "--base-url", f"http://127.0.0.1:{port}/v1").code in (0, 1)
        rows = examine("local").rows
    assert [(row["id"], row["status"], row["text"]) for row in rows] == (
        [("local.ollama", status, text)] if status else []
    )
    if status == "warn":
        assert "ollama" in rows[0]["fix"]


@pytest.mark.parametrize(("window", "status"), [(4096, "warn"), (131072, "ok")])
def test_llamacpp(fairlead, examine, window, status):
    """It is asked by the document that it has."""
    props = {"default_generation_settings": {"n_ctx": window}, "total_slots": 1}
    answers = {
        "/props": (200, "Server: llama.cpp\r\n", json.dumps(props).encode()),
        "/v1/models": (200, "", b'{"data":[{"id":"m","owned_by":"llamacpp"}]}'),
    }
    with model_server("", answers=answers) as (port, _):
        fairlead("backend", "add", "llamacpp", "--base-url", f"http://127.0.0.1:{port}/v1")
        (row,) = examine("local").rows
    assert row["status"] == status
    assert status == "ok" or f"m {window:,}" in row["text"]


def test_one_that_does_not_run(fairlead, examine):
    """It is told once, as a backend that refuses, with what starts it."""
    fairlead("backend", "add", "ollama", "--base-url", "http://127.0.0.1:1/v1")
    report = examine("local", "backend.ollama")
    assert report.find("local.ollama") == []
    row = report.get("backend.ollama")
    assert (row["status"], row["fix"]) == ("fail", "Is Ollama running? Start it: ollama serve")


def test_what_could_be_added(fairlead, examine, monkeypatch):
    """A server that answers, and a key in a variable; neither is a fault."""
    fairlead("config", "set", "port", "3999")
    with model_server("ollama") as (port, _):
        monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
        report = examine("offers", GROQ_API_KEY="gsk_abcdefghijklmnop")
    assert [row["status"] for row in report.rows] == ["info", "info"]
    first, second = (row["text"] for row in report.rows)
    assert first == (
        f"Ollama 0.13.1 answers at http://127.0.0.1:{port}, and is not configured (fairlead backend add ollama)"
    )
    assert second.endswith("(fairlead backend add groq --key-env GROQ_API_KEY)")
