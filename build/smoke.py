"""Runs a built program as a newcomer would, in an empty environment and home: `python build/smoke.py PATH`.

PATH is the program itself. Needs nothing but Python's standard library, so that it runs on any system a build is for.
Prints a line for each check, then the start-up figures, and exits 1 when a check failed.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

WINDOWS = sys.platform == "win32"
PATIENCE = 30.0
# What `--version` may load: the interpreter's own start and three modules of ours.
MODULE_LIMIT = 60
ROUNDS = 16


class Failed(Exception):
    """What a check saw, and what it expected."""


class Program:
    """The program under test. folder: an empty place for its home and for what the checks write."""

    def __init__(self, path: Path, folder: Path):
        self.path = path
        self.folder = folder
        self.home = folder / "home"
        # Without SYSTEMROOT Windows opens no socket.
        keep = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if WINDOWS and name in os.environ}
        profile = "USERPROFILE" if WINDOWS else "HOME"
        self.environ = {**keep, profile: str(folder), "FAIRLEAD_HOME": str(self.home)}

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [str(self.path), *arguments],
            env={**self.environ, **extra},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )

    def said(self, *arguments: str, **extra: str) -> str:
        """The output of a command that must end well and say nothing on stderr."""
        done = self.run(*arguments, **extra)
        expect(done.returncode == 0 and not done.stderr, f"{arguments}: exit {done.returncode}, {done.stderr[-500:]}")
        return done.stdout

    @contextlib.contextmanager
    def serving(self, **extra: str) -> Generator["Proxy"]:
        """A running proxy on a free port; ended at the end if it still runs."""
        with (self.folder / "proxy.log").open("wb") as log:
            process = subprocess.Popen(
                [str(self.path), "proxy", "--port", "0"],
                env={**self.environ, "FAIRLEAD_REQUIRE_KEY": "off", **extra},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=not WINDOWS,
            )
        try:
            yield Proxy(self, process)
        finally:
            self._end(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End a proxy in order. In the form of one file a kill would end the unpacker alone: the proxy would go on, and
        the unpacked files would stay."""
        if process.poll() is None and not WINDOWS:
            process.send_signal(signal.SIGTERM)
        elif process.poll() is None:
            self.run("stop")
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            if sys.platform != "win32":
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()


class Proxy:
    """A proxy that listens. pid: of the process that serves, which is not the one started where one file unpacks."""

    def __init__(self, program: Program, process: subprocess.Popen[bytes]):
        self.process = process
        self._program = program
        runs = program.home / "run"
        until(lambda: process.poll() is not None or list(runs.glob("*.json")))
        log = (program.folder / "proxy.log").read_text("utf-8", "replace")
        expect(process.poll() is None, f"the proxy ended with {process.poll()}: {log[-500:]}")
        run = json.loads(next(runs.glob("*.json")).read_text("utf-8"))
        self.port, self.pid = int(run["port"]), int(run["pid"])

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Status and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8")
        finally:
            connection.close()

    def status(self) -> dict[str, object]:
        """What GET /status says."""
        token = (self._program.home / "operator.token").read_text("ascii").strip()
        code, text = self.ask("GET", "/status", authorization=f"Bearer {token}")
        expect(code == 200, f"/status answered {code}: {text}")
        return json.loads(text)

    def stop(self) -> int:
        """End it as the system would; its exit code."""
        if WINDOWS:
            self._program.said("stop")
        else:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def expect(holds: object, otherwise: str) -> None:
    """Raise Failed unless it holds."""
    if not holds:
        raise Failed(otherwise)


def until(condition: Callable[[], object]) -> None:
    """Poll until the condition holds, or time is up."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


# Checks, in the order they run. The docstring is what is printed.


def check_version(program: Program) -> None:
    """--version prints one line and loads next to nothing"""
    done = program.run("--version", FAIRLEAD_SHOW_MODULES="1")
    expect(re.fullmatch(r"fairlead \d+\.\d+\.\d+\S*\s", done.stdout), f"it printed {done.stdout!r}")
    modules = done.stderr.split()
    expect(0 < len(modules) <= MODULE_LIMIT, f"it loaded {len(modules)} modules: {' '.join(modules)}")
    expect(not program.home.exists(), "it made a home")


def check_commands(program: Program) -> None:
    """every command has its modules and tells how it is used"""
    names = re.findall(r"^  ([a-z]+) {2,}\S", program.said("--help"), re.MULTILINE)
    expect(len(names) > 5, f"--help lists {names}")
    for name in names:
        expect(f"fairlead {name}" in program.said(name, "--help"), f"{name} --help shows no usage")


def check_demo(program: Program) -> None:
    """demo --once answers over all protocols"""
    text = program.said("demo", "--once")
    for word in ("messages", "chat", "responses", "gemini", "tools"):
        expect(re.search(rf"^[ a-z]*\b{word}\b", text, re.MULTILINE), f"no line for {word}:\n{text}")


def check_doctor(program: Program) -> None:
    """doctor --offline loads all its checks, and knows that it is a built program"""
    text = program.said("doctor", "--offline")
    expect("built program" in text and "a bug in" not in text, text)


def check_elsewhere(program: Program) -> None:
    """it runs through a link and from another folder"""
    if WINDOWS:
        return
    link = program.folder / "link"
    link.symlink_to(program.path)
    expect(Program(link, program.folder).said("--version"), "nothing printed")


def check_usage(program: Program) -> None:
    """a mistake is an error with a hint and exit code 2, not a traceback"""
    done = program.run("prxy")
    expect(done.returncode == 2 and "fairlead proxy" in done.stderr, f"exit {done.returncode}: {done.stderr}")
    expect("Traceback" not in done.stderr, done.stderr)


def check_proxy(program: Program) -> None:
    """proxy streams a real request, loads the rest, and ends in order"""
    turn = {"model": "demo", "messages": [{"role": "user", "content": "one two three"}], "stream": True}
    with program.serving(FAIRLEAD_UI="on") as proxy:
        status, text = proxy.ask("GET", "/ui/")
        expect(status == 200 and "</html>" in text, f"the local page: {status} {text[:200]}")
        status, text = proxy.ask("POST", "/v1/messages", {**turn, "max_tokens": 100})
        expect(status == 200 and "event: message_stop" in text, f"{status}: {text[-300:]}")
        words = "".join(re.findall(r'"text_delta","text":"([^"]*)"', text))
        expect(words == "one two three", f"the stream said {words!r}")
        until(lambda: proxy.status()["loaded"])
        expect(proxy.status()["loaded"], "it did not load what it needs within the time")
        said = (program.folder / "proxy.log").read_text("utf-8", "replace")
        expect("could not load" not in said, said)
        expect(proxy.stop() == 0, f"it ended with {proxy.process.returncode}")
    expect(not list((program.home / "run").glob("*.json")), "its run file stayed")


def check_backend(program: Program) -> None:
    """a backend is added to the running proxy, whose model list it then serves"""
    with program.serving() as upstream:
        url = f"http://127.0.0.1:{upstream.port}/v1"
        other = program.folder / "other"
        other.mkdir()
        second = Program(program.path, other)
        with second.serving() as proxy:
            added = second.said("backend", "add", "box", "--base-url", url, "--protocols", "chat", "--no-key")
            expect("models" in added, added)
            turn = {"model": "box:demo", "messages": [{"role": "user", "content": "across"}]}
            status, text = proxy.ask("POST", "/v1/chat/completions", turn)
            expect(status == 200 and '"across"' in text, f"{status}: {text[-300:]}")
            expect("box" in second.said("models"), "models does not list it")
            expect(proxy.stop() == 0, "it did not end in order")


def check_children(program: Program) -> None:
    """a program that it starts sees nothing of the loader's variables"""
    if WINDOWS:
        return
    seen = program.folder / "seen"
    fetch = f"sh -c 'env > {seen}; echo a-key-of-some-length'"
    with program.serving() as upstream:
        url = f"http://127.0.0.1:{upstream.port}/v1"
        program.said("backend", "add", "box", "--base-url", url, "--protocols", "chat", "--key-cmd", fetch)
    variables = {
        name: value for name, _, value in (line.partition("=") for line in seen.read_text("utf-8").splitlines())
    }
    leaked = [name for name in variables if name.startswith(("_PYI", "_MEI", "FAIRLEAD", "LD_LIBRARY", "DYLD"))]
    expect(not leaked, f"its environment has {', '.join(leaked)}")
    expect(variables.get("HOME") == str(program.folder), "its environment lacks what the user has set")


def check_settings(program: Program) -> None:
    """settings are changed, shown and taken up; explain says where a request would go"""
    with program.serving() as proxy:
        program.said("config", "set", "aliases.quick", "demo")
        expect("demo" in program.said("config", "get", "aliases.quick"), "config get shows another value")
        text = program.said("explain", "quick")
        expect("quick" in text and "demo" in text, text)
        turn = {"model": "quick", "messages": [{"role": "user", "content": "by alias"}]}
        status, text = proxy.ask("POST", "/v1/chat/completions", turn)
        expect(status == 200 and '"by alias"' in text, f"{status}: {text[-300:]}")
        expect(proxy.stop() == 0, "it did not end in order")


CHECKS = (
    check_version,
    check_commands,
    check_demo,
    check_doctor,
    check_elsewhere,
    check_usage,
    check_proxy,
    check_backend,
    check_children,
    check_settings,
)


# Figures


def figures(program: Program) -> Iterator[str]:
    """Start-up costs, the least of some rounds: what other programs do meanwhile only adds."""
    if WINDOWS:
        return
    yield f"--version   {min(_version_cpu(program) for _ in range(ROUNDS)) * 1000:.0f} ms CPU"
    if sys.platform == "linux":
        yield f"listening   {min(_listening_cpu(program) for _ in range(ROUNDS)) * 1000:.0f} ms CPU"


def _version_cpu(program: Program) -> float:
    if sys.platform == "win32":
        return 0.0
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program.run("--version")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _listening_cpu(program: Program) -> float:
    with program.serving() as proxy:
        own = {proxy.pid, proxy.process.pid}
        spent = sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in own)
        proxy.stop()
        return spent / 1e9


def main() -> int:
    """Check the program; 0 when every check held."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        print("usage: python build/smoke.py PATH, the built program", file=sys.stderr)
        return 2
    path = Path(sys.argv[1]).resolve()
    failures = 0
    for check in CHECKS:
        folder = Path(tempfile.mkdtemp())
        try:
            check(Program(path, folder))
            print(f"ok     {check.__doc__}", flush=True)
        except (Failed, subprocess.TimeoutExpired, OSError, ValueError) as error:
            failures += 1
            print(f"fail   {check.__doc__}\n       {error}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as place:
        for line in figures(Program(path, Path(place))):
            print(line, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
