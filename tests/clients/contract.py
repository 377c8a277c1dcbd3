"""Runs the newest Claude Code against the proxy, and tells which rows of its contract with a gateway hold:
`python -m tests.clients.contract [SCENARIO…]`.

It is the client's side of tests/e2e/test_claude_contract.py, with the same numbers: what the newest client sends, and
what it does with what the proxy answers. The last line compares the protocol document of the client's own gateway with
the one last seen (protocol_document.py, which needs PostgreSQL). `claude` is used from PATH, or from the folder that
FAIRLEAD_CLIENT_PROGRAMS names. Upstreams are recorders on loopback, keys are dummies, and each run has a home that
holds nothing else. Prints a table; exits 1 when a row does not hold.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..e2e.processes import Proxy, backend, until
from ..e2e.wire import ask
from .agents import find
from .model import DONE, Asked, Model
from .protocol_document import compare, fetch, hash_sections, load_seen

SECONDS = 180
MODEL = "claude-sonnet-4-5"
KEY = "sk-dummy-0123456789abcdef"
BILLING = "x-anthropic-billing-header"
CLASS = "x-claude-code-request-class"
HINTS = {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}
COMMAND = {"command": "echo it-ran", "description": "Print a word"}
HELPER = {"description": "Look", "prompt": "Say what you see.", "subagent_type": "general-purpose"}


class Result(NamedTuple):
    """One line of the table."""

    row: str
    promise: str
    held: bool
    #: What was seen instead.
    seen: object = ""


class Run(NamedTuple):
    """One run of the client. code: None when it had to be ended."""

    code: int | None
    said: str


Scenario = Callable[[Path], Iterator[Result]]
SCENARIOS: list[Scenario] = []


def scenario(function: Scenario) -> Scenario:
    """Enter one into the list."""
    SCENARIOS.append(function)
    return function


def claude(folder: Path, root: str, *arguments: str, **environ: str) -> Run:
    """Run the client to its end with a prompt, in a home of its own below the folder."""
    program = find("claude")
    assert program is not None
    home = Path(tempfile.mkdtemp(dir=folder))
    (home / "work").mkdir()
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR", "LANG") if name in os.environ}
    own = {
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_API_KEY": KEY,
        "NO_PROXY": "127.0.0.1,localhost",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
        "TERM": "dumb",
        "CI": "1",
    }
    command = [program, "-p", "Do it.", "--model", MODEL, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=home / "work",
            env={**keep, **own, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return Run(None, ((late.stdout or b"") + (late.stderr or b"")).decode("utf-8", "replace"))
    return Run(done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace"))


def origin(model: Model) -> str:
    """The base URL that leads straight to a model."""
    return model.root.removesuffix("/v1")


@contextlib.contextmanager
def proxied(folder: Path, model: Model, *, also: Sequence[dict] = (), **settings: str) -> Iterator[Proxy]:
    """A proxy in front of the model, for every name. also: further backends."""
    home = Path(tempfile.mkdtemp(dir=folder))
    vendor = "anthropic" if model.protocol == "messages" else ""
    entry = backend("only", model.root, protocols=[model.protocol], vendor=vendor, auth="key", key=KEY)
    own = {"FAIRLEAD_DEFAULT_BACKEND": "only", "FAIRLEAD_DEMO": "off", **settings}
    with Proxy(home, backends=[entry, *also], settings=own) as proxy:
        yield proxy


def local(proxy: Proxy) -> str:
    """The base URL of a proxy."""
    return f"http://127.0.0.1:{proxy.port}"


def texts(model: Model) -> list[Asked]:
    """The requests for text that a model got."""
    return [asked for asked in model.requests if asked.body is not None]


def named(asked: Asked) -> set[str]:
    """What of a request a gateway must pass on: its headers of the client's and the vendor's own, and its fields."""
    own = ("anthropic-", "x-claude-", "x-app", "x-stainless-")
    return {name for name in asked.fields if name.startswith(own)} | {f"body.{name}" for name in asked.body or {}}


def history(proxy: Proxy, count: int) -> list[dict]:
    """The requests that a proxy has recorded, the oldest first, once they are so many."""

    def read() -> list[dict]:
        found = ask(proxy.port, "/admin/history?limit=200", None, proxy.operator()).json()["requests"]
        return found[::-1] if len(found) >= count else []

    return until(read) or []


@scenario
def plain(folder: Path) -> Iterator[Result]:
    """A round with a tool, straight and through the proxy: what arrives is the same."""
    with Model("messages", "Bash", COMMAND) as straight, Model("messages", "Bash", COMMAND) as model:
        claude(folder, origin(straight), "--allowedTools", "Bash", **HINTS)
        with proxied(folder, model) as proxy:
            run = claude(folder, local(proxy), "--allowedTools", "Bash", **HINTS)
            heads = {asked.path for asked in straight.requests if asked.method == "HEAD"}
            statuses = {path: ask(proxy.port, path, method="HEAD").status for path in heads | {"/"}}
            recorded = history(proxy, 2)
    sent, got = texts(straight), texts(model)
    yield Result("", "the client finishes", run.code == 0 and DONE in run.said, run)
    paths = {asked.path for asked in sent}, {asked.path for asked in got}
    yield Result("1", "the path arrives with its query", paths == ({"/v1/messages?beta=true"},) * 2, paths)
    yield Result("3", "what it asks by HEAD has a status", {*statuses.values()} == {200}, statuses)
    lost = [sorted(named(one) ^ named(other)) for one, other in zip(sent, got, strict=False)]
    yield Result("4", "all its headers and fields arrive", len(sent) == len(got) and not any(lost), lost)
    first = [asked.body["system"][0]["text"] for asked in got]
    lengths = {len(asked.body["system"]) for asked in (*sent, *got)}
    whole = len(lengths) == 1 and all(text.startswith(BILLING) for text in first)
    yield Result("9", "the system prompt arrives whole, its billing line first", whole, [text[:60] for text in first])
    yield Result("9", "the billing line is the same all along", len({*first}) == 1, [text[:120] for text in first])
    classes = [asked.fields.get(CLASS) for asked in got]
    yield Result("20", "the class is told, and recorded", bool(classes) and {*classes} == {"main"}, classes)
    same = [one["request_class"] for one in recorded[-2:]] == classes and recorded[-1]["client"] == "claude-code"
    yield Result("20", "the history has it", same, recorded[-2:])
    yield Result("24", "the client tells of a retired model by itself", "retired on" in run.said, run.said[-300:])


class Delegating(Model):
    """A model that starts one agent, and no more."""

    def calls_now(self, asked: dict) -> bool:
        return "x-claude-code-agent-id" not in self.requests[-1].fields and '"tool_result"' not in json.dumps(asked)


@scenario
def agents(folder: Path) -> Iterator[Result]:
    """A sub-agent is told from the conversation's own requests."""
    with Delegating("messages", "Agent", HELPER) as model, proxied(folder, model) as proxy:
        claude(folder, local(proxy), **HINTS)
        recorded = history(proxy, len(texts(model)))
    children = [asked for asked in texts(model) if asked.fields.get(CLASS) == "subagent"]
    names = ("x-claude-code-agent-type", "x-claude-code-agent-id")
    told = [tuple(asked.fields.get(name) for name in names) for asked in children]
    yield Result("19", "a sub-agent sends its class, type and id", bool(told) and all(map(all, told)), told)
    found = [(one["agent"], one["agent_id"]) for one in recorded if one["request_class"] == "subagent"]
    yield Result("19", "the history has them", found == told, found)


#: A command that the client does not judge by itself.
RISKY = {"command": "git push --force origin main", "description": "Push"}
AUTO = ("--permission-mode", "auto", "--model", "claude-opus-5")


@scenario
def auto_mode(folder: Path) -> Iterator[Result]:
    """The checks of actions: passed on to Anthropic's own protocol, refused by name elsewhere."""
    with Model("messages", "Bash", RISKY) as model, proxied(folder, model) as proxy:
        claude(folder, local(proxy), *AUTO, **HINTS)
    asked = [one for one in texts(model) if "safeguards" in one.body]
    beta = asked[0].fields.get("anthropic-beta", "") if asked else ""
    yield Result("10", "safeguards arrive with their beta", "dangerous-tool-use" in beta, beta)
    judges = {one.body["model"] for one in texts(model) if one.fields.get(CLASS) == "auxiliary"}
    yield Result("21", "its own classifier is served by a name that nobody configured", bool(judges), judges)
    with Model("chat", "Bash", RISKY) as model, proxied(folder, model) as proxy:
        run = claude(folder, local(proxy), *AUTO, **HINTS)
        recorded = history(proxy, 2)
    refused = [one["status"] for one in recorded if one["status"] >= 400]
    yield Result("10", "where they mean nothing they are refused once", refused == [400], refused)
    yield Result("10", "and the client goes on without", run.code == 0 and DONE in run.said, run)


@scenario
def discovery(folder: Path) -> Iterator[Result]:
    """The list of models, with either credential; two backends have the same one."""
    both = {"API_KEY": {"ANTHROPIC_API_KEY": KEY}, "AUTH_TOKEN": {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": KEY}}
    for name, credential in both.items():
        below = Path(tempfile.mkdtemp(dir=folder))
        with Model("messages", "Bash", COMMAND, models=(MODEL, "gpt-6")) as model:
            second = backend("second", model.root, protocols=["messages"], auth="key", key=KEY)
            with proxied(folder, model, also=[second]) as proxy:
                proxy.settled("only", "second")
                claude(below, local(proxy), CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1", **credential)
        kept = [json.loads(path.read_text())["models"] for path in below.rglob("gateway-models.json")]
        found = kept[0] if kept else []
        names = {one["id"] for one in found}
        yield Result("12", f"models are found with {name}", {MODEL, f"second:{MODEL}"} <= names, kept)
        labels = [one.get("display_name", one["id"].rpartition(":")[2]) for one in found]
        yield Result("12b", "their labels tell them apart", len({*labels}) == len(labels) > 1, found)


@scenario
def final_errors(folder: Path) -> Iterator[Result]:
    """A wrong key and a spent budget end the client at once, with the reason."""
    locked = {"FAIRLEAD_API_KEY": "another-key-0123456789-0123456789", "FAIRLEAD_REQUIRE_KEY": "on"}
    with Model("messages", "Bash", COMMAND) as model, proxied(folder, model, **locked) as proxy:
        run = claude(folder, local(proxy))
        refused = proxy.status()["refused"]
    once = run.code == 1 and refused == {"wrong key": 1} and not model.seen
    yield Result("13", "a wrong key ends it at once", once, (run, refused))
    spent = {"FAIRLEAD_GUARD_DAY_TOKENS": "1", "FAIRLEAD_GUARD_NOTIFY": "off"}
    with Model("messages", "Bash", COMMAND) as model, proxied(folder, model, **spent) as proxy:
        run = claude(folder, local(proxy), "--allowedTools", "Bash")
        statuses = [one["status"] for one in history(proxy, 2)]
    held = run.code == 1 and "402" in run.said and "budget" in run.said and statuses == [200, 402]
    yield Result("15", "a spent budget ends it at once, and it says why", held, (run, statuses))


@scenario
def document(folder: Path) -> Iterator[Result]:
    """What the client's own gateway says of the protocol."""
    program = find("claude")
    assert program is not None
    changes = compare(load_seen()["sections"], hash_sections(fetch(program)))
    yield Result("", "its protocol document reads as when it was last met", not changes, changes)


def main() -> int:
    """Run all scenarios, or those that are named; 0 when every row holds."""
    program = find("claude")
    if program is None:
        print("error: claude is not installed", file=sys.stderr)
        return 2
    print(subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    results: list[Result] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for run in SCENARIOS:
            if sys.argv[1:] and run.__name__ not in sys.argv[1:]:
                continue
            for result in run(Path(folder)):
                results.append(result)
                seen = "" if result.held else f"   {result.seen}"
                print(f"{'ok  ' if result.held else 'FAIL'}  {result.row:<4} {result.promise}{seen}", flush=True)
    return 0 if results and all(result.held for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
