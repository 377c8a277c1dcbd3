"""Paths that nobody serves: what the caller reads, and the word that is recorded in their place."""

import sys
from types import SimpleNamespace

import pytest

from router.admin.dispatch import Dispatcher, describe_path, unknown_path
from router.errors import Unavailable

GEMINI = "/v1beta/models/gemini-2.5-pro:streamGenerateContent"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (GEMINI, "(Gemini API)"),
        ("/api/chat", "(Ollama API)"),
        ("/model/a/invoke", "(Amazon Bedrock API)"),
        ("/openai/deployments/sk-secret/chat", "(Azure OpenAI API)"),
        ("/sk-secret", "(unknown)"),
        ("/v2/messages", "(unknown)"),
    ],
)
def test_an_unknown_path_is_recorded_by_its_class(path, word):
    """The access log and the history show which API a tool asked for, and nothing of the path itself."""
    assert describe_path(path) == word


def test_geminis_own_protocol_is_not_spoken():
    """Gemini CLI points at the root rightly: the text says what is missing, not where to point."""
    error = unknown_path(SimpleNamespace(path=GEMINI, fields={b"host": b"localhost:1"}))
    assert error.status == 404
    assert error.message.startswith(f"{GEMINI} is Gemini's API, which fairlead does not serve.")
    assert "Its own protocol is not spoken here." in error.message


def test_the_pages_files_are_gone(monkeypatch):
    """An upgrade may take them away before the page is first asked for: the answer says what to do, and the proxy goes
    on."""
    monkeypatch.setitem(sys.modules, "router.admin.ui.page", None)
    with pytest.raises(Unavailable, match="fairlead restart"):
        Dispatcher(None, None, None)._load_page()
