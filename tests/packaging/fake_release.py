"""A release whose program is a small shell script, and a host on loopback that serves it as the real one does."""

import contextlib
import hashlib
import io
import shutil
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import msgspec
import trustme

from router.installation.upgrade.manifest import Release, ReleaseFile

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """\
#!/bin/sh
case "${{1:-}}" in
  --version) echo "fairlead {version}" ;;
  proxy) echo "$$ $*" >"$FAIRLEAD_HOME/started"; exec sleep 60 ;;
  status) [ -e "$FAIRLEAD_HOME/started" ] && printf '{{\n  "url": "http://127.0.0.1:3456"\n}}\n' ;;
  completions) echo "# completions of fairlead {version} for $2" ;;
  *) echo "fairlead {version}: $*" ;;
esac
"""

#: os, arch, libc of each program.
SYSTEMS = (
    ("linux", "x86_64", "glibc"),
    ("linux", "arm64", "glibc"),
    ("linux", "x86_64", "musl"),
    ("macos", "arm64", ""),
    ("macos", "x86_64", ""),
    ("windows", "x86_64", ""),
    ("windows", "arm64", ""),
)


def program(version: str) -> bytes:
    return PROGRAM.format(version=version).encode()


def tree(version: str) -> dict[str, bytes]:
    """The files of a folder archive, by their names in it."""
    return {
        "fairlead/fairlead": program(version),
        "fairlead/_internal/base_library.zip": b"library of " + version.encode(),
        "fairlead/_internal/licenses/h11/LICENSE.txt": b"The MIT License\n",
        "fairlead/_internal/man/fairlead.1": b".TH fairlead 1\n",
        "fairlead/_internal/man/fairlead-config.5": b".TH fairlead-config 5\n",
    }


def pack(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    """A .tar.xz of these files; programs named fairlead may be run."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:xz", preset=0) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if name.endswith("/fairlead") else mode
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def pack_zip(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name.replace("fairlead/fairlead", "fairlead/fairlead.exe")), data)
    return made.getvalue()


class Key(NamedTuple):
    """A throw-away key of minisign."""

    secret: Path
    public: str


def make_key(folder: Path) -> Key:
    folder.mkdir(parents=True, exist_ok=True)
    secret, public = folder / "key", folder / "key.pub"
    subprocess.run(["minisign", "-G", "-W", "-p", public, "-s", secret], check=True, capture_output=True)
    return Key(secret, public.read_text().splitlines()[1])


def make_release(
    folder: Path, version: str, *, signed: tuple[str, ...] = (), key: Key | None = None, expires: str = "2099-01-01"
) -> Release:
    """Write a release's files into a folder. signed: systems whose programs are signed for them."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[ReleaseFile] = []
    for system, arch, libc in SYSTEMS:
        tail = f"{system}-{arch}" + ("-musl" if libc == "musl" else "")
        tail += "-unsigned" if system != "linux" and system not in signed else ""
        windows = system == "windows"
        whole = tree(version)
        forms = {
            "folder": (
                f"fairlead-{version}-{tail}.{'zip' if windows else 'tar.xz'}",
                (pack_zip if windows else pack)(whole),
            ),
            "file": (f"fairlead-{tail}" + (".exe" if windows else ""), program(version)),
        }
        for form, (name, data) in forms.items():
            (folder / name).write_bytes(data)
            files.append(
                ReleaseFile(
                    os=system,
                    arch=arch,
                    libc=libc,
                    form=form,
                    name=name,
                    size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    unpacked=sum(map(len, whole.values())) if form == "folder" else len(data),
                    signed=system in signed,
                )
            )
    notes = 'Says "version":"9.9.9" and {braces} } in its notes'
    release = Release(version=version, date="2026-12-01", expires=expires, notes=notes, history_schema=1, files=files)
    write_release(folder, release, key)
    return release


def write_release(folder: Path, release: Release, key: Key | None = None) -> None:
    """Write release.json, SHA256SUMS and, with a key, the signature."""
    (folder / "release.json").write_bytes(msgspec.json.format(msgspec.json.encode(release), indent=2) + b"\n")
    (folder / "SHA256SUMS").write_text("".join(f"{file.sha256}  {file.name}\n" for file in release.files))
    if key is not None:
        sign(folder / "release.json", key, f"fairlead {release.version} {release.date}")


def sign(path: Path, key: Key, comment: str) -> None:
    command = ["minisign", "-S", "-s", key.secret, "-m", path, "-x", f"{path}.minisig", "-t", comment]
    subprocess.run(command, check=True, capture_output=True)


class ReleaseHost:
    """Where releases are downloaded from: below `url` as GitHub lays them out. `replaced` maps a path to an answer
    (status, headers, body) that is given in the place of the file; `asked` lists the paths that were asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/releases"
        self.folders: dict[str, Path] = {}
        self.latest = ""
        self.replaced: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []

    def publish(self, version: str, folder: Path) -> None:
        self.folders[version], self.latest = folder, version

    def find(self, path: str) -> Path | None:
        parts = path.strip("/").split("/")
        match parts:
            case ["releases", "latest", "download", name]:
                found = self.folders.get(self.latest)
            case ["releases", "download", tag, name]:
                found = self.folders.get(tag.removeprefix("v"))
            case _:
                return None
        return found / name if found and (found / name).is_file() else None

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        if path in self.replaced:
            return self.replaced[path]
        found = self.find(path)
        return (404, {}, b"not found") if found is None else (200, {}, found.read_bytes())


@contextlib.contextmanager
def serve(certificate: trustme.LeafCert | None = None) -> Iterator[ReleaseHost]:
    """A release host on a free port of loopback; with a certificate it speaks TLS. An answer whose content-length is
    larger than its body is cut off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = host.answer(self.path)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, client_address: None  # clients that refuse the certificate
    host = ReleaseHost(server.server_address[1])
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        host.url = host.url.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def have(*programs: str) -> bool:
    return all(map(shutil.which, programs))
