"""Runs `fairlead init` in this process, with answers that are typed; proxies that it starts are real ones."""

import socket
import sys

import pytest

from router.cli.backend import key as backend_key
from router.cli.init import command
from router.net.control import local_servers

from ...local_servers import model_server
from ..setup.conftest import InProcess


class Typist:
    """Answers what is asked, in order; an answer that is an exception is raised, one that can be called is."""

    def __init__(self):
        self.answers = []
        self.asked = []

    def __call__(self, prompt):
        self.asked.append(prompt)
        assert self.answers, f"not expected: {prompt}"
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer


class OnTerminal(InProcess):
    """As InProcess; `type` has a command answered as on a terminal."""

    def __init__(self, folder, monkeypatch, capsys):
        super().__init__(folder, monkeypatch, capsys)
        self.typist = Typist()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # No tool of this machine, and no port that something else may have.
        self.environ |= {"PATH": "", "FAIRLEAD_PORT": str(port)}

    def type(self, arguments, answers, **environ):
        self.typist.answers, self.typist.asked = [*answers], []
        with self._monkeypatch.context() as patch:
            patch.setattr(command, "has_terminal", lambda: True)
            patch.setattr("builtins.input", self.typist)
            patch.setattr(backend_key, "ask", self.typist)
            done = self(*arguments, **environ)
        assert self.typist.answers == []
        return done

    def list_files(self):
        """What is in the home."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file())


@pytest.fixture
def fairlead(tmp_path, monkeypatch, capsys):
    """Runs fairlead commands on a fresh home, on a machine without model servers."""
    monkeypatch.setattr(local_servers, "PORTS", {})
    monkeypatch.setattr(local_servers, "SECONDS", 20.0)
    monkeypatch.setattr(local_servers, "PATIENT_SECONDS", 20.0)
    monkeypatch.setattr("router.cli.background.find_words", lambda: (sys.executable, "-W", "error", "-m", "router"))
    terminal = OnTerminal(tmp_path, monkeypatch, capsys)
    yield terminal
    terminal("stop")
    terminal.close()


@pytest.fixture
def ollama(monkeypatch):
    """An Ollama on this machine; the port it has."""
    with model_server("ollama") as (port, _):
        monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
        yield port
