"""A release server over TLS on loopback, and an installation whose programs are scripts."""

import contextlib
import datetime
import hashlib
import io
import json
import lzma
import ssl
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
import trustme

from router.cli import main
from router.installation import detect
from router.installation.upgrade import release_keys
from router.installation.upgrade.manifest import Release, ReleaseFile
from router.installation.upgrade.system import find_system
from router.store.database.migrations import MIGRATIONS

from ...patience import PATIENCE
from .test_minisign import keys

KEY, NEXT, STRANGER = keys.make_key(), keys.make_key(), keys.make_key()
OLD, NEW = "0.1.0", "0.3.0"
SCHEMA = len(MIGRATIONS)


def script(version, *, demo="exit 0", said=None):
    """A program of a version: it tells it, and `demo --once` does what is given."""
    told = f"fairlead {version}" if said is None else said
    return f'#!/bin/sh\ncase "$1" in --version) echo "{told}";; demo) {demo};; *) exit 3;; esac\n'.encode()


def make_archive(*members):
    """A tar.xz of (name, content, fields of its head)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, fields in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            for field, value in fields.items():
                setattr(entry, field, value)
            tar.addfile(entry, io.BytesIO(content))
    return lzma.compress(plain.getvalue())


def make_program(program):
    """The archive of a whole version."""
    return make_archive(
        ("fairlead", b"", {"type": tarfile.DIRTYPE}),
        ("fairlead/fairlead", program, {}),
        ("fairlead/_internal/library", b"library" * 99, {"mode": 0o644}),
        ("fairlead/_internal/link", b"", {"type": tarfile.SYMTYPE, "linkname": "library"}),
    )


class Server(ThreadingHTTPServer):
    """Serves what is in `files`: path -> bytes, or a function that answers. asked: (path, fields) of all requests."""

    daemon_threads = True

    def __init__(self, authority):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}/releases"
        self.files, self.asked = {}, []

    def publish(self, version=NEW, *, key=KEY, archive=None, comment=None, latest=True, edit=None, **fields):
        """Put a release on the server. edit: changes its files' descriptions. fields: of the release."""
        today = datetime.datetime.now(datetime.UTC).date()
        system = find_system()
        archive = make_program(script(version)) if archive is None else archive
        place = f"{system.os}-{system.arch}{'-musl' if system.libc == 'musl' else ''}"
        program = script(version)
        described = [
            self.describe("folder", f"fairlead-{version}-{place}.tar.xz", archive, unpacked=1 << 20),
            self.describe("file", f"fairlead-{place}", program, unpacked=len(program)),
        ]
        release = Release(
            **{
                "version": version,
                "date": today.isoformat(),
                "expires": (today + datetime.timedelta(days=400)).isoformat(),
                "history_schema": SCHEMA,
                "files": [edit(file) if edit else file for file in described],
                **fields,
            }
        )
        data = msgspec.json.encode(release)
        comment = f"fairlead {release.version} {release.date}" if comment is None else comment
        texts = {"release.json": data, "release.json.minisig": keys.sign(data, key, comment=comment)}
        for folder in (f"download/v{version}", *(["latest/download"] if latest else [])):
            self.files |= {f"/releases/{folder}/{name}": text for name, text in texts.items()}
        for file, content in zip(described, (archive, program), strict=True):
            self.files[f"/releases/download/v{version}/{file.name}"] = content
        return f"/releases/download/v{version}/{described[0].name}"

    def describe(self, form, name, content, *, unpacked):
        digest = hashlib.sha256(content).hexdigest()
        own = find_system()._asdict()
        return ReleaseFile(**own, form=form, name=name, size=len(content), sha256=digest, unpacked=unpacked)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers.items())))
        content = self.server.files.get(self.path)
        with contextlib.suppress(OSError):
            if callable(content):
                content(self)
                return
            self.send_response(404 if content is None else 200)
            self.send_header("content-length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture(scope="session")
def authority():
    """A throw-away certificate authority."""
    return trustme.CA()


@pytest.fixture
def server(authority):
    """A release server."""
    with Server(authority) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Installed:
    """An installation of install.sh with version OLD, and the command that upgrades it."""

    def __init__(self, folder, server, authority, monkeypatch, capsys):
        self.prefix = folder / "data" / "fairlead"
        self.folder, self.home = folder, folder / "home"
        self._monkeypatch, self._capsys = monkeypatch, capsys
        version = self.prefix / "versions" / OLD
        (version / "_internal").mkdir(parents=True)
        (version / "_internal" / "library").write_bytes(b"old")
        self.write_program(version / "fairlead", script(OLD))
        (self.prefix / "current").symlink_to(f"versions/{OLD}")
        (self.prefix / "receipt.json").write_text(json.dumps({"prefix": str(self.prefix), "installer": "install.sh"}))
        authority.cert_pem.write_to_path(str(folder / "roots.pem"))
        self.environ = {
            "FAIRLEAD_HOME": str(self.home),
            "FAIRLEAD_UPGRADE_URL": server.url,
            "FAIRLEAD_TLS_CA_FILE": str(folder / "roots.pem"),
            "XDG_DATA_HOME": str(folder / "data"),
        }
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(release_keys, "PUBLIC_KEYS", (KEY.public_line, NEXT.public_line))
        self.use(version / "fairlead", "folder")

    def write_program(self, path, program):
        path.write_bytes(program)
        path.chmod(0o755)

    def use(self, program, form):
        """Take this as the program that runs."""
        self.program, self.form = program, form
        self._monkeypatch.setattr("router.cli.upgrade.command.find_copy", self.copy)

    def copy(self, environ):
        return detect.Copy(self.program, self.program.parent, self.form, environ, sys.platform)

    def run(self, *words):
        """`fairlead upgrade …`: exit code, stdout, stderr."""
        code = main(["upgrade", *words])
        return (code, *self._capsys.readouterr())

    def start(self, *words, step="", change=0, **options):
        """The same in a process of its own. step, change: after this one, or before that change of a file, the process
        is killed (driver.py)."""
        job = {
            "argv": ["upgrade", *words],
            "keys": [KEY.public_line],
            "program": str(self.program),
            "form": self.form,
            "step": step,
            "change": change,
            "prefix": str(self.prefix),
        }
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("driver.py")), json.dumps(job)],
            env={**self.environ, "PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    @property
    def current(self):
        """What the installed program says of itself."""
        program = self.prefix / "current" / "fairlead"
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE)
        return done.stdout.strip().removeprefix("fairlead ")

    @property
    def left(self):
        """The names beside and in `versions`."""
        return sorted(path.name for path in (self.prefix / "versions").iterdir())


@pytest.fixture
def installed(tmp_path, server, authority, monkeypatch, capsys):
    """An installation of OLD, whose output is read whole: no line is broken."""
    monkeypatch.delenv("COLUMNS", raising=False)
    return Installed(tmp_path, server, authority, monkeypatch, capsys)
