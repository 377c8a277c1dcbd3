"""A conversation that is too long for its model: the agents shorten it and go on, whatever words the backend has.

All wordings are tried in one conversation, each with a model of its own.
"""

import json
import queue
import subprocess
import threading

import pytest

from ..overflows import OTHERS
from . import kit
from .agents import end, find, prepare, run
from .long_conversations import ANSWER, Refusal, Upstream, refusals

pytestmark = pytest.mark.slow
#: The models whose errors tell that the input fits and leaves room: Claude Code asks for less output instead.
SHORTER_OUTPUT = ("mock-anthropic-output", "mock-vllm-newest", "mock-openai-older")
#: Seconds that a turn may take.
TURN = 60


class ClaudeCode:
    """A conversation with Claude Code, by its JSON lines."""

    def __init__(self, folder, root):
        (folder / "agent" / "work").mkdir(parents=True)
        lines = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        lines += ["--model", "claude-sonnet-4-5", "--tools", "Bash", "--allowedTools", "Bash"]
        command, options = prepare("claude-code", folder, root, "messages", command=lines)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, **options, **pipes, text=True)
        self._said = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._said.put(line)

    def _send(self, message):
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def ask(self, model, text):
        """A turn with this model: the text that it ends with, and whether the client says that it has compacted."""
        request = {"subtype": "set_model", "model": model}
        self._send({"type": "control_request", "request_id": model, "request": request})
        self._send({"type": "user", "message": {"role": "user", "content": text}})
        compacted = False
        while True:
            said = json.loads(self._said.get(timeout=TURN))
            compacted |= said.get("subtype") == "compact_boundary"
            if said["type"] == "result":
                return str(said.get("result")), compacted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self._process)
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()


def asks_for_summary(body):
    """True for a request whose last words are those of the agent itself, for a summary."""
    said = body.get("messages") or body["input"]
    return any("summary" in json.dumps(one).lower() for one in said[-2:] if one.get("role") == "user")


def begins_with_summary(body):
    """True for a request whose first words of the user are what was answered to the question for a summary."""
    first = next(one for one in body["messages"] if one["role"] == "user")
    return ANSWER in json.dumps(first)


def judge_claude(model, upstream, refusal, said, compacted):
    """What is wrong with how Claude Code went on behind the error of a model, "" for nothing."""
    if model not in upstream.refused:
        return f"nothing was refused: {said[:300]}"
    later = [body for body in upstream.asked[upstream.refused[model] :] if body["model"] == model]
    if ANSWER not in said:
        return f"no answer after {len(later)} requests: {said[:300]}"
    if model in SHORTER_OUTPUT:
        room = refusal.numbers["window"] - refusal.numbers["input"] - 1000
        asked = [body.get("max_tokens") for body in later]
        return "" if (asked, compacted) == ([room], False) else f"max_tokens {asked} in place of {room}"
    *summaries, last = later
    if not compacted or not summaries or not all(map(asks_for_summary, summaries)):
        return f"no summary was asked for in {len(later)} requests"
    return "" if begins_with_summary(last) else "the conversation goes on without the summary"


def test_claude_code_outlasts_a_limit_of_rate_told_as_a_413(tmp_path):
    """It asks again, with the same conversation, and the work ends well; at a 413 it would give up."""
    if find("claude") is None:
        pytest.skip("claude-code is not installed")
    (tmp_path / "proxy").mkdir()
    status, message = OTHERS["groq, the rate of a minute"]
    refusal = Refusal(status, json.dumps({"error": {"message": message, "type": "tokens"}}).encode(), {})
    with (
        Upstream({"mock-m": refusal}, tool="Bash") as upstream,
        kit.proxied(tmp_path / "proxy", upstream, protocols=("chat",)) as proxy,
    ):
        ran = run("claude-code", tmp_path, f"http://127.0.0.1:{proxy.port}", "messages", model="mock-m")
    assert (ran.code, ANSWER in ran.said) == (0, True), ran.said[-2000:]
    refused = upstream.refused["mock-m"]
    assert [body["messages"] for body in upstream.asked[refused:]] == [upstream.asked[refused - 1]["messages"]]


def judge_codex(model, upstream, first, resumed):
    """What is wrong with how Codex went on behind the error of a model, "" for nothing."""
    if "ran out of room" not in first.said:
        return f"the error was not known: {first.said[-300:]}"
    if (resumed.code, ANSWER in resumed.said) != (0, True):
        return f"no answer: {resumed.code}, {resumed.said[-300:]}"
    seen = [(bool(body.get("tools")), asks_for_summary(body)) for body in upstream.asked[upstream.refused[model] :]]
    if len(seen) != 2 or seen[0] != (False, True):
        return f"no summary was asked for: {seen}"
    return "" if seen[1][0] else "the work does not go on"


@pytest.mark.parametrize("spoken", ["messages", "chat"])
def test_claude_code_compacts_and_goes_on(tmp_path, spoken):
    """After the error of a tool round a request asks for a summary, with which the work goes on and ends well."""
    if find("claude") is None:
        pytest.skip("claude-code is not installed")
    (tmp_path / "proxy").mkdir()
    errors, found = refusals(spoken), {}
    with (
        Upstream(errors, tool="Bash") as upstream,
        kit.proxied(tmp_path / "proxy", upstream, protocols=(spoken,)) as proxy,
        ClaudeCode(tmp_path, f"http://127.0.0.1:{proxy.port}") as claude,
    ):
        for model, refusal in errors.items():
            turn = claude.ask(model, "Run echo mock-tool-ran, and say what it printed.")
            found[model] = judge_claude(model, upstream, refusal, *turn)
            print(f"claude-code {spoken:10}{model:34}{found[model] or 'ok'}", flush=True)
    assert len(found) == len(errors)
    assert not {model: wrong for model, wrong in found.items() if wrong}


@pytest.mark.parametrize("spoken", ["chat", "messages", "responses"])
def test_codex_compacts_at_the_next_turn(tmp_path, spoken):
    """The turn ends with the error; the thread that is resumed asks for a summary first, and answers."""
    if find("codex") is None:
        pytest.skip("codex is not installed")
    (tmp_path / "proxy").mkdir()
    errors, found = refusals(spoken), {}
    with Upstream(errors) as upstream, kit.proxied(tmp_path / "proxy", upstream, protocols=(spoken,)) as proxy:
        for model in errors:
            said = [
                run(
                    "codex",
                    tmp_path,
                    f"http://127.0.0.1:{proxy.port}",
                    "responses",
                    model=model,
                    seconds=TURN,
                    command=["exec", *resume, "--skip-git-repo-check", "Go on."],
                )
                for resume in ((), ("resume", "--last"))
            ]
            found[model] = judge_codex(model, upstream, *said)
            print(f"codex {spoken:10}{model:34}{found[model] or 'ok'}", flush=True)
    assert len(found) == len(errors)
    assert not {model: wrong for model, wrong in found.items() if wrong}
