"""Tells whether the protocol that Claude Code's own gateway documents has changed: `python -m
tests.clients.protocol_document [--write]`.

The newest `claude` (on PATH, or in the folder that FAIRLEAD_CLIENT_PROGRAMS names) contains a gateway, whose GET
/protocol says what a gateway must do. It is run here on loopback, with a PostgreSQL of its own (FAIRLEAD_POSTGRES names
the folder of its programs) and an issuer that signs nobody in; nothing is sent to anybody. Of the document only the
titles of its sections and a SHA-256 of each are kept, in protocol_sections.json: --write replaces them by those of
today, to be called when the changes were read and met. Prints the changes; exits 1 when there are any.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .agents import find

SEEN = Path(__file__).with_name("protocol_sections.json")
SECONDS = 60.0
#: What a section is called that stands before the first heading.
BEGINNING = "(beginning)"
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_FENCE = ("```", "~~~")


def main() -> int:
    """Fetch the document and compare it; 0 when nothing has changed."""
    parser = argparse.ArgumentParser(description="Compare the newest protocol document with the one last seen.")
    parser.add_argument("--write", action="store_true", help="keep today's hashes")
    options = parser.parse_args()
    program = find("claude")
    if program is None:
        print("error: claude is not installed", file=sys.stderr)
        return 2
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]
    found = hash_sections(fetch(program))
    if options.write:
        SEEN.write_text(json.dumps({"version": version, "sections": found}, indent=1) + "\n", "utf-8")
        print(f"{len(found)} sections of {version} written")
        return 0
    seen = load_seen()
    changes = compare(seen["sections"], found)
    print(f"the protocol of claude {version}, last read with {seen['version']}: {len(changes)} of {len(found)} changed")
    print("".join(f"  {line}\n" for line in changes), end="")
    return 1 if changes else 0


def load_seen() -> dict[str, Any]:
    """The version that was last read, and the hashes of its sections."""
    return json.loads(SEEN.read_text("utf-8"))


def hash_sections(text: str) -> dict[str, str]:
    """Title of each section of a Markdown document -> SHA-256 of its text. Headings within code are none; a title that
    comes again gets a number."""
    found: dict[str, list[str]] = {BEGINNING: []}
    title, fence = BEGINNING, ""
    for line in text.splitlines():
        mark = line.lstrip()[:3]
        if mark in _FENCE and (not fence or mark == fence):
            fence = "" if fence else mark
        heading = None if fence else _HEADING.fullmatch(line)
        if heading is not None:
            title, number = heading[2].strip(), 1
            while title in found:
                number += 1
                title = f"{heading[2].strip()} ({number})"
            found[title] = []
        found[title].append(line.rstrip())
    return {title: hashlib.sha256("\n".join(lines).strip().encode()).hexdigest() for title, lines in found.items()}


def compare(seen: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What has changed, a line for each section."""
    gone = [f"gone:    {title}" for title in seen if title not in found]
    return gone + [
        f"{'changed' if title in seen else 'new'}:".ljust(9) + title
        for title, sha in found.items()
        if seen.get(title) != sha
    ]


def fetch(program: str) -> str:
    """The document of this program's gateway. Raises RuntimeError when it does not start."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        database, issuer = stack.enter_context(_postgres(folder / "db")), stack.enter_context(_issuer())
        port = _find_port()
        config = {
            "listen": {"host": "127.0.0.1", "port": port, "public_url": f"http://127.0.0.1:{port}"},
            "oidc": {"issuer": issuer, "client_id": "fairlead", "client_secret": secrets.token_hex(16)},
            "session": {"jwt_secret": secrets.token_hex(32)},
            "store": {"postgres_url": database},
            "upstreams": [{"provider": "anthropic", "auth": {"api_key": "dummy"}, "base_url": issuer}],
        }
        # JSON is YAML.
        (folder / "gateway.yaml").write_text(json.dumps(config))
        own = {"HOME": str(folder), "CLAUDE_CONFIG_DIR": str(folder / "claude"), "CLAUDE_GATEWAY_ALLOW_LOOPBACK": "1"}
        quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "NO_PROXY": "127.0.0.1"}
        out = stack.enter_context((folder / "out").open("w+b"))
        gateway = subprocess.Popen(
            [program, "gateway", "--config", str(folder / "gateway.yaml")],
            env={"PATH": os.environ["PATH"], **own, **quiet},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        stack.callback(_end, gateway)
        try:
            return _read(f"http://127.0.0.1:{port}/protocol", gateway)
        except TimeoutError:
            said = (folder / "out").read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"the gateway gave no document:\n{said}") from None


def _read(url: str, process: "subprocess.Popen[bytes]") -> str:
    """What is served there, once it is. Raises TimeoutError."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
        time.sleep(0.1)
    raise TimeoutError(url)


@contextlib.contextmanager
def _postgres(folder: Path) -> Generator[str]:
    """A database of its own on loopback; its URL."""
    programs = _find_postgres()
    user = None
    folder.mkdir()
    if os.geteuid() == 0:
        # It does not run as root.
        user = "postgres" if _has_user("postgres") else "nobody"
        shutil.chown(folder, user)
    port = _find_port()
    data = folder / "data"
    run = {"user": user, "cwd": folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    setup = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "gateway", "--no-sync"]
    subprocess.run(setup, check=True, **run)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
    server = subprocess.Popen([str(programs / "postgres"), "-D", str(data), *options], stderr=subprocess.DEVNULL, **run)
    try:
        _wait_for(port, server)
        yield f"postgres://gateway@127.0.0.1:{port}/postgres"
    finally:
        _end(server)


def _find_postgres() -> Path:
    named = os.environ.get("FAIRLEAD_POSTGRES")
    found = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: FAIRLEAD_POSTGRES names the folder of initdb")
    return found[-1]


def _has_user(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextlib.contextmanager
def _issuer() -> Generator[str]:
    """An OpenID provider that is only there; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {
                "issuer": root,
                **{f"{name}_endpoint": f"{root}/{name}" for name in ("authorization", "token", "userinfo")},
                "jwks_uri": f"{root}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
            }
            body = json.dumps(known if "openid-configuration" in self.path else {"keys": []}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    root = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield root
    finally:
        server.shutdown()
        server.server_close()


def _find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL does not start")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
