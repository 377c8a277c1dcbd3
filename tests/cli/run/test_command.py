"""`fairlead run` with real processes: the proxy and the key of a program, its budget, its end, and its terminal."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.store.home import processes
from tests.host.job_terminal import JobTerminal
from tests.host.scripted_program import ask
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="terminals, signals and /proc")
PROGRAM = str(Path(__file__).parents[2] / "host/scripted_program.py")
#: Within which a key is to be refused, and a proxy to serve no more, once the process of the run is gone.
GONE_SECONDS = 2.0


def words(fairlead, *order):
    return [sys.executable, PROGRAM, str(fairlead.folder / "lines"), *order]


def lines(fairlead):
    return [json.loads(line) for line in (fairlead.folder / "lines").read_text().splitlines()]


def started(fairlead):
    """What the first program was started with."""
    return next(line[1] for line in lines(fairlead) if line[0] == "started")


def run_files(fairlead):
    return [json.loads(path.read_text()) for path in (fairlead.home / "run").glob("*.json")]


def is_refused(environ):
    """True where a program's URL serves no more, or not with its key."""
    try:
        return ask(environ["OPENAI_BASE_URL"], environ["OPENAI_API_KEY"], "demo")[0] == 401
    except OSError:
        return True


def until(condition, seconds):
    """The seconds until something is so."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + seconds
        time.sleep(0.02)
    return time.monotonic() - begin


def test_a_proxy_for_one_program(fairlead):
    """Without a running proxy, a program has one of its own, on another port, and a key; both end with it. The summary
    tells what it used."""
    code, out, err = fairlead(
        "run", "--tag", "team", "--summary", "json", "s.json", "--", *words(fairlead, "ask", "2", "demo")
    )
    assert (code, out) == (0, "")
    assert [line[1] for line in lines(fairlead)] == [200, 200]
    assert "ANTHROPIC_BASE_URL" in err.splitlines()[0]
    summary = json.loads((fairlead.folder / "s.json").read_text())
    assert (summary["schema"], summary["exit_code"], summary["tag"]) == (1, 0, "team")
    assert (summary["usage"]["requests"], summary["usage"]["errors"]) == (2, 0)
    assert "flk_" not in json.dumps(summary) + err
    until(lambda: not run_files(fairlead), PATIENCE)


def test_the_running_proxy_serves(fairlead):
    """A running proxy serves the program; the key ends with it, the proxy goes on."""
    fairlead.start("proxy", "--port", "0")
    [run] = run_files(fairlead)
    code, _, _ = fairlead("run", "--", *words(fairlead, "record"))
    found = started(fairlead)["environ"]
    assert (code, found["OPENAI_BASE_URL"]) == (0, f"{run['url']}/v1")
    assert found["OPENAI_API_KEY"].startswith("flk_")
    assert is_refused(found)
    assert run_files(fairlead) == [run]


def test_a_proxy_of_one_program_is_not_for_others(fairlead, free_port):
    """Another run, and `fairlead env`, do not use the proxy of a program, with which it ends."""
    inner = [sys.executable, "-m", "router", "env"]
    outer = fairlead("run", "--", "sh", "-c", f"echo $OPENAI_BASE_URL; {' '.join(inner)} 2>&1", FAIRLEAD_PORT=free_port)
    own, *told = outer.out.splitlines()
    assert "no proxy is running" in " ".join(told)
    assert not any(own in line for line in told)


def test_a_killed_run_takes_proxy_and_key_with_it(fairlead):
    """After kill -9 of the run, its proxy is gone and its key refused, though the program still runs."""
    process = subprocess.Popen(
        fairlead._line(["run", "--", *words(fairlead, "wait")]),
        env=fairlead.environ,
        cwd=fairlead.folder,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: (fairlead.folder / "lines").exists() and lines(fairlead), PATIENCE)
    found, [run] = started(fairlead), run_files(fairlead)
    assert run["mode"] == "tied"
    assert os.getsid(run["pid"]) == run["pid"]
    assert not is_refused(found["environ"])
    process.kill()
    process.wait()
    until(lambda: is_refused(found["environ"]), GONE_SECONDS)
    # Its interpreter takes as long as a busy machine gives it.
    until(lambda: not processes.alive(run["pid"]), GONE_SECONDS * 5)
    os.kill(found["pid"], signal.SIGKILL)


def test_a_killed_run_loses_its_key_at_a_running_proxy(fairlead):
    """The key dies with the process of the run, also where the proxy goes on."""
    fairlead.start("proxy", "--port", "0")
    process = subprocess.Popen(
        fairlead._line(["run", "--", *words(fairlead, "wait")]),
        env=fairlead.environ,
        cwd=fairlead.folder,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: (fairlead.folder / "lines").exists() and lines(fairlead), PATIENCE)
    found = started(fairlead)
    assert not is_refused(found["environ"])
    process.kill()
    process.wait()
    until(lambda: is_refused(found["environ"]), GONE_SECONDS)
    os.kill(found["pid"], signal.SIGKILL)


def test_a_budget_ends_the_traffic_of_a_program(fairlead, provider):
    """Once the budget is used up, the program's requests are refused in a form that tools take as final, and the
    summary says so; another program's are not."""
    provider.needs_key = False
    fairlead("backend", "add", "mine", "--base-url", provider.url, "--no-key", "--protocols", "chat")
    fairlead("config", "set", "prices.model-a.input", "900")
    fairlead("config", "set", "prices.model-a.output", "900")
    order = words(fairlead, "ask", "6", "mine:model-a")
    fairlead("run", "--budget", "0.01", "--summary", "json", "s.json", "--", *order)
    found = lines(fairlead)
    assert found[0][1] == 200
    assert found[-1][1] == 402
    summary = json.loads((fairlead.folder / "s.json").read_text())
    assert summary["refused"] == sum(line[1] == 402 for line in found)
    assert summary["usage"]["cost_usd"] > 0
    (fairlead.folder / "lines").unlink()
    fairlead("run", "--", *words(fairlead, "ask", "1", "mine:model-a"))
    assert [line[1] for line in lines(fairlead)] == [200]


def test_nested(fairlead):
    """A run inside of a program of another uses its proxy, and a key below its key; the summary of the outer one has
    the requests of both. A mark of a run that has ended is an error that says what to do."""
    inner = [sys.executable, "-m", "router", "run", "--", *words(fairlead, "ask", "1", "demo")]
    code, _, err = fairlead("run", "--summary", "json", "s.json", "--", *inner)
    assert code == 0
    assert "spends from its budget" in err
    assert json.loads((fairlead.folder / "s.json").read_text())["usage"]["requests"] == 1
    code, _, err = fairlead("run", "--", "true", FAIRLEAD_RUN="run-x-123456@1")
    assert code == 1
    assert "env -u FAIRLEAD_RUN" in err
    assert "FAIRLEAD_RUN" not in fairlead("proxy", "--port", "x", FAIRLEAD_RUN="a@1").err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--", "no-such-program"], 127, "was not found on PATH"),
        (["--", "/"], 126, "is a folder"),
        ([], 2, "fairlead run -- claude"),
        (["claude"], 2, "fairlead run -- claude"),
        (["--shell", "--", "x"], 2, "leave out the program"),
        (["--budget", "much", "--", "x"], 2, '--budget is "much"; expected US dollars'),
        (["--tag", "a b", "--", "x"], 2, '--tag is "a b"; expected a tag'),
        (["--summary", "xml", "f", "--", "x"], 2, "expected json and a file"),
        (["--", "cursor"], 2, "cannot reach a proxy on your machine"),
    ],
)
def test_what_cannot_be_run(fairlead, arguments, code, text):
    """Each mistake has its exit code and says what to do; no proxy is started for it."""
    done = fairlead("run", *arguments)
    assert done.code == code
    assert text in done.err
    assert not (fairlead.home / "proxy.log").exists()


def test_dry_run(fairlead):
    """What would be set and started is shown, with keys masked; nothing is started."""
    code, out, _ = fairlead("run", "--dry-run", "--model", "m", "--", sys.executable, "x y", ANTHROPIC_UNIX_SOCKET="/s")
    assert code == 0
    assert "  OPENAI_API_KEY=set" in out
    assert "  unset ANTHROPIC_UNIX_SOCKET" in out
    assert "  OPENAI_MODEL=m" in out
    assert out.splitlines()[-1] == f"  {sys.executable} 'x y'"
    assert "a-key" not in out
    assert not (fairlead.home / "proxy.log").exists()


def test_shell(fairlead):
    """--shell starts the shell that $SHELL names, with the same set."""
    shell = fairlead.folder / "shell"
    shell.write_text("#!/bin/sh\necho $FAIRLEAD_RUN $PS1 $OPENAI_BASE_URL\nexit 3\n")
    shell.chmod(0o755)
    code, out, _ = fairlead("run", "--shell", SHELL=str(shell), PS1="mine")
    mark, prompt, url = out.split()
    assert (code, prompt) == (3, "mine")
    assert mark.partition("@")[2] == url.rpartition(":")[2].removesuffix("/v1")


def test_private_files_end_with_the_program(fairlead):
    """A private file is there while the program runs, readable by its user alone; one that a killed run left is removed
    by the next."""
    tool = fairlead.folder / "bin/cn"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nls -l "$2" && cat "$2"\n')
    tool.chmod(0o755)
    path = f"{tool.parent}:{fairlead.environ['PATH']}"
    fairlead("run", "--", "true")
    (fairlead.home / "children").mkdir(mode=0o700)
    (fairlead.home / "children/999999999-1.config.yaml").write_text("x")
    code, out, _ = fairlead("run", "--", "cn", PATH=path)
    assert (code, out.split()[0]) == (0, "-rw-------")
    assert "apiKey: flk_" in out
    assert list((fairlead.home / "children").iterdir()) == []


def test_a_private_folder_ends_with_the_program(fairlead):
    """Gemini CLI finds its settings with a key chosen, closed to others, and what else its own folder has; of that
    nothing is changed or removed with the private one. One that a killed run left is removed by the next."""
    tool = fairlead.folder / "bin/gemini"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\ncd "$GEMINI_CLI_HOME/.gemini" && ls -l settings.json && cat */x settings.json && ls\n')
    tool.chmod(0o755)
    own = fairlead.folder / ".gemini"
    (own / "tmp").mkdir(parents=True)
    (own / "tmp/x").write_text("a session\n")
    (own / "oauth_creds.json").write_text("a login")
    (own / "settings.json").write_text(
        '{"ui": {"theme": "Dark"}, "security": {"auth": {"selectedType": "oauth-personal"}}}'
    )
    left = fairlead.home / "children/999999999-1.gemini/.gemini"
    left.mkdir(parents=True, mode=0o700)
    (left / "tmp").symlink_to(own / "tmp")
    left.parent.parent.chmod(0o700)
    before = {one: one.read_bytes() for one in own.rglob("*") if one.is_file()}
    code, out, err = fairlead("run", "--", "gemini", PATH=f"{tool.parent}:{fairlead.environ['PATH']}")
    assert (code, out.split()[0]) == (0, "-rw-------")
    assert out.splitlines()[1:] == [
        "a session",
        '{"ui": {"theme": "Dark"}, "security": {"auth": {"selectedType": "gemini-api-key"}}}settings.json',
        "tmp",
    ]
    assert "does not choose a key" in err
    assert list((fairlead.home / "children").iterdir()) == []
    assert {one: one.read_bytes() for one in own.rglob("*") if one.is_file()} == before


def test_on_a_terminal(fairlead):
    """On a terminal Ctrl-C reaches the program once, whatever this process does meanwhile, and the summary comes after
    its end; the proxy gets none of it."""
    lines_file = fairlead.folder / "lines"
    command = fairlead._line(["run", "--", *words(fairlead, "wait", "SIGTERM")])
    terminal = JobTerminal(command, lines_file, fairlead.environ, fairlead.folder)
    try:
        _, number = terminal.answer()
        [[_, found]] = terminal.written(1, 40)
        assert found["group"] == number
        assert found["files"] == started(fairlead)["files"]
        terminal.type(b"\x03")
        terminal.written(2)
        assert not is_refused(found["environ"])
        os.kill(number, signal.SIGTERM)
        assert [line[1] for line in terminal.written(3)[1:]] == ["SIGINT", "SIGTERM"]
        assert terminal.answer() == ["ended", 5]
        assert "fairlead: 1 request in" in terminal.read()
    finally:
        terminal.close()
