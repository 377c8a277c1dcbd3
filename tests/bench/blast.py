"""Requests a second on many connections, by blast.c where there is a C compiler, else by Python."""

import functools
import os
import selectors
import shutil
import subprocess
import time
from pathlib import Path

import load
import programs
from load import Client

CONNECTIONS = 32
_SOURCE = Path(__file__).with_name("blast.c")


@functools.cache
def build(folder: Path) -> Path | None:
    """Compile the load client; None where nothing compiles it."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
    if compiler is None or not programs.LINUX:
        return None
    target = folder / "blast"
    subprocess.run([compiler, "-O2", "-o", str(target), str(_SOURCE)], check=True, capture_output=True)
    return target


def rate(folder: Path, port: int, body: bytes, seconds: float) -> float:
    """Requests that are answered in a second."""
    data = load.request(port, body)
    program = build(folder)
    if program is None:
        return _rate(port, data, seconds)
    file = folder / "request"
    file.write_bytes(data)
    command = [str(program), str(port), str(CONNECTIONS), f"{seconds}", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + load.TIMEOUT)
    if done.returncode:
        raise load.LoadError(done.stderr)
    return float(done.stdout)


def _rate(port: int, data: bytes, seconds: float) -> float:
    """The same from Python, which takes more of the core that the upstream needs."""
    whole = 0
    with load.connected(port, CONNECTIONS) as clients, selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
            client.send(data)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            for key, _ in selector.select():
                client = key.fileobj
                assert isinstance(client, Client)
                client.receive()
                client.send(data)
                whole += 1
        return whole / (time.perf_counter() - start)
