"""The processes of the benchmark: upstream, floor and fairlead, and what the system says of their CPU and memory."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LINUX = sys.platform == "linux"
START_TIMEOUT = 20.0

# Seconds until fairlead's writer of the history must have caught up with the requests.
SETTLE = 1.2


class StartError(Exception):
    """A process of the benchmark did not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running process that listens."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    listening: float  # seconds from spawn to the first accepted connection
    settle: float = 0.0

    def said(self) -> str:
        """The end of its output, and whether it still runs."""
        return f"{self.name} (exit code {self.process.poll()}):\n{self.log.read_text(errors='replace')[-2000:]}"

    def cpu(self) -> float:
        """CPU seconds of all its threads so far, to the nanosecond; 0 where the system cannot tell."""
        if not LINUX:
            return 0.0
        # clock_getcpuclockid(3) is not in Python; this is the id it makes (CPUCLOCK_SCHED of a process).
        return time.clock_gettime(((~self.process.pid) << 3) | 2)

    def memory(self, *names: str) -> int:
        """Bytes of these smaps_rollup fields together (Rss, Pss, Private_Dirty, …)."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return sum(int(size) for name, size in re.findall(r"(\w+): +(\d+) kB", text) if name in names) * 1024


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(
    name: str, port: int, command: Sequence[str], *, log: Path, env: dict[str, str] | None = None, settle: float = 0.0
) -> Iterator[Program]:
    """Start a process, wait until it listens, end it at the exit."""
    environment = {**_environment(), **(env or {})}
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        if not _listens(process, port, start):
            raise StartError(f"{' '.join(command)} does not listen.\n{log.read_text(errors='replace')[-2000:]}")
        taken = time.perf_counter() - start
        yield Program(name=name, port=port, process=process, log=log, listening=taken, settle=settle)
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Our environment without what would change a relay: settings of fairlead, proxies, other roots."""
    changes = re.compile(r"FAIRLEAD_|SSL_CERT_|.*_proxy$", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not changes.match(name)}


def _listens(process: subprocess.Popen[bytes], port: int, start: float) -> bool:
    """Wait until the port takes a connection; False when the process ended or takes too long."""
    while time.perf_counter() - start < START_TIMEOUT and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.001)
    return False


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of 127.0.0.1 and the roots that vouch for it, as files."""

    chain: Path
    key: Path
    roots: Path


def certificate(folder: Path) -> Certificate:
    """Make a throw-away authority and one certificate."""
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = Certificate(folder / "chain.pem", folder / "key.pem", folder / "roots.pem")
    issued.private_key_pem.write_to_path(files.key)
    for part in issued.cert_chain_pems:
        part.write_to_path(files.chain, append=True)
    authority.cert_pem.write_to_path(files.roots)
    return files


@dataclass(frozen=True, slots=True)
class Site:
    """One upstream as a relay sees it, and a folder for what processes need on disk."""

    folder: Path
    port: int
    files: Certificate | None = None

    @property
    def url(self) -> str:
        """The base URL of the upstream."""
        return f"{'https' if self.files else 'http'}://127.0.0.1:{self.port}/v1"

    def log(self, port: int) -> Path:
        """Where a process writes what it has to say."""
        return self.folder / f"{port}.log"


Running = contextlib.AbstractContextManager[Program]


def upstream(site: Site) -> Running:
    """The upstream; with a certificate it speaks TLS."""
    extra = [site.files.chain, site.files.key] if site.files else []
    command = [str(HERE / "upstream.py"), str(site.port), *map(str, extra)]
    return running("direct", site.port, command, log=site.log(site.port))


def floor(site: Site, *, merge: bool = False) -> Running:
    """The bare relay."""
    port = free_port()
    extra = ["--roots", str(site.files.roots)] if site.files else []
    extra += ["--merge"] if merge else []
    command = [str(HERE / "floor.py"), str(port), str(site.port), *extra]
    return running("floor", port, command, log=site.log(port))


@contextlib.contextmanager
def twin(site: Site) -> Iterator[Program]:
    """The floor under fairlead's name: held against itself it shows the noise of the machine."""
    with floor(site) as program:
        yield replace(program, name="fairlead")


ALL = ("messages", "chat", "responses")


def fairlead(
    site: Site,
    *,
    access_log: bool = False,
    protocols: Sequence[str] = ALL,
    program: Sequence[str] = ("-m", "router"),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Running:
    """The proxy, with a fresh home that knows one backend, which speaks these protocols. settings: more variables."""
    port = free_port()
    home = _home(site, protocols)
    env = {
        "HOME": str(home),
        "FAIRLEAD_HOME": str(home),
        "FAIRLEAD_DEFAULT_BACKEND": "bench",
        "FAIRLEAD_REQUIRE_KEY": "off",
        "FAIRLEAD_DEMO": "off",
        **settings,
    }
    if site.files:
        env["SSL_CERT_FILE"] = str(site.files.roots)
    if access_log:
        env["FAIRLEAD_LOG_FILE"] = str(home / "access.log")
    command = [*program, "proxy", "--port", str(port)]
    return running("fairlead", port, command, log=site.log(port), env=env, settle=SETTLE)


def switched(site: Site) -> Running:
    """The proxy, whose history can be taken away and given back (switched.py)."""
    return fairlead(site, program=[str(HERE / "switched.py")])


def _home(site: Site, protocols: Sequence[str]) -> Path:
    """A home as the CLI would have made it."""
    backend = {
        "schema": 1,
        "name": "bench",
        "root": site.url,
        "protocols": protocols,
        "vendor": "",
        "auth": "none",
        "accounts": [],
        "enabled": True,
        "added": 0,
    }
    home = Path(tempfile.mkdtemp(dir=site.folder))
    folder = home / "backends"
    folder.mkdir(mode=0o700)
    file = folder / "bench.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(backend))
    return home
