"""What a play is given: two versions, a host that publishes them, keys, and a user with an empty home."""

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rehearsal import versions
from rehearsal.host import ReleaseHost
from rehearsal.users import User
from rehearsal.versions import NEW, OLD, Version


@dataclass(frozen=True, slots=True)
class Keys:
    """Two throw-away key pairs of releases, and one that the program does not know; each path has its `.pub` beside."""

    current: Path
    next: Path
    unknown: Path

    @property
    def trusted(self) -> tuple[str, str]:
        """The lines that a program embeds."""
        return public_line(self.current), public_line(self.next)


@dataclass(frozen=True, slots=True)
class Stage:
    """What one play is given."""

    #: An empty folder that others may read.
    folder: Path
    old: Version
    new: Version
    keys: Keys
    #: Publishes both versions; the newest is `new`.
    host: ReleaseHost
    #: A PEM file of the authority that the host's certificate is from.
    authority: Path
    user: User
    #: A folder that stays between rehearsals.
    cache: Path
    #: The folder of what is written for a channel of `new`, by its name.
    write_channels: Callable[[str], Path]

    def make_user(self, home: str) -> User:
        """One more user."""
        return User(self.folder, trust(self.authority, self.host.url), home=home)


class Rehearsal:
    """All that the plays share; made once. program: a built folder to make the versions from, None to build them."""

    def __init__(self, scratch: Path, cache: Path, program: Path | None):
        self.scratch = scratch
        self.cache = cache
        self.keys = make_keys(cache / "keys")
        self.authority, self.certificate = make_certificate(scratch)
        # Builds one after the other: PyInstaller has one cache for all.
        with ThreadPoolExecutor(1 if program is None else 2) as pool:
            old, new = (pool.submit(self._prepare, number, program) for number in (OLD, NEW))
        self.old, self.new = old.result(), new.result()
        self._channels: dict[str, Path] = {}
        self._writing = threading.Lock()

    def _prepare(self, number: str, program: Path | None) -> Version:
        trusted, newer = self.keys.trusted, number == NEW
        if program is None:
            version = versions.build_whole(number, trusted, self.cache, newer=newer)
        else:
            version = versions.change_built(program, number, trusted, self.scratch / number, newer=newer)
        add_other_systems(version.files, number)
        describe(version.files, version, self.keys.current)
        return version

    def write_channels(self, channel: str) -> Path:
        """The folder of what packaging/channels.py writes for a channel of the newer version; written once."""
        with self._writing:
            if channel not in self._channels:
                self._channels[channel] = write_channel(self.new, channel, self.scratch / f"channel-{channel}")
            return self._channels[channel]

    @contextlib.contextmanager
    def make_stage(self) -> Generator[Stage]:
        """A stage with a folder, a host and a user of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        folder.chmod(0o755)
        releases = {OLD: self.old.files, NEW: self.new.files}
        with contextlib.closing(ReleaseHost(self.certificate, releases, NEW)) as host:
            user = User(folder, trust(self.authority, host.url))
            shared = self.authority, user, self.cache, self.write_channels
            yield Stage(folder, self.old, self.new, self.keys, host, *shared)
        shutil.rmtree(folder, ignore_errors=True)


def write_channel(version: Version, channel: str, out: Path, *options: str) -> Path:
    """Run packaging/channels.py of a version's sources on its files for one channel; returns `out`. options: further
    ones of that command. Raises RuntimeError with what it said."""
    command = [sys.executable, str(version.tree / "packaging" / "channels.py")]
    command += [str(version.files / "release.json"), "--out", str(out), "--only", channel, *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"packaging/channels.py --only {channel}: {done.stderr.strip()}")
    return out


def trust(authority: Path, url: str) -> dict[str, str]:
    """The environment in which installers and fairlead take releases from the rehearsal's host."""
    return {
        "FAIRLEAD_RELEASES_URL": url,
        "FAIRLEAD_UPGRADE_URL": url,
        "FAIRLEAD_TLS_CA_FILE": str(authority),
        "CURL_CA_BUNDLE": str(authority),
    }


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """An authority of its own, and a certificate for this machine's names from it: two PEM files."""
    import trustme

    authority = trustme.CA()
    trusted, certificate = folder / "authority.pem", folder / "host.pem"
    authority.cert_pem.write_to_path(str(trusted))
    trusted.chmod(0o644)
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    certificate.chmod(0o600)
    return trusted, certificate


def make_keys(folder: Path) -> Keys:
    """The keys in a folder; made when there are none yet. They sign nothing but rehearsals, and have no password."""
    folder.mkdir(mode=0o700, exist_ok=True)
    paths = [folder / f"{name}.key" for name in ("current", "next", "unknown")]
    for path in paths:
        if not path.with_name(f"{path.name}.pub").exists():
            path.unlink(missing_ok=True)
            run_release_tool(versions.ROOT, "new-key", path)
    return Keys(*paths)


def public_line(key: Path) -> str:
    """The line of a public key, from the file beside the secret one."""
    return key.with_name(f"{key.name}.pub").read_text("utf-8").split("\n")[1].strip()


#: What a release has besides the programs of this system.
_OTHERS = (
    "linux-x86_64",
    "linux-arm64",
    "linux-x86_64-musl",
    "linux-arm64-musl",
    "macos-arm64-unsigned",
    "macos-x86_64-unsigned",
)
_OTHERS_WINDOWS = ("windows-x86_64-unsigned", "windows-arm64-unsigned")


def add_other_systems(files: Path, number: str) -> None:
    """Put stand-ins of the other systems' programs beside this system's: nothing but their names is rehearsed here.
    They begin as Mach-O programs do, so that no kernel that runs this rehearsal takes them."""
    made = files / ".others"
    shutil.rmtree(made, ignore_errors=True)
    (made / "fairlead" / "_internal" / "man").mkdir(parents=True)
    for name in ("fairlead", "fairlead.exe", "_internal/base", "_internal/man/fairlead.1"):
        (made / "fairlead" / name).write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))
        (made / "fairlead" / name).chmod(0o755)
    # What is there may be a link to a file that another play reads at this moment: it stays as it is.
    for place in _OTHERS:
        target = files / f"fairlead-{number}-{place}.tar.xz"
        if not target.exists():
            with tarfile.open(target, "w:xz", preset=0) as packed:
                packed.add(made / "fairlead", "fairlead")
    for place in _OTHERS_WINDOWS:
        target = files / f"fairlead-{number}-{place}.zip"
        if not target.exists():
            shutil.make_archive(str(target.with_suffix("")), "zip", made, "fairlead")
    shutil.rmtree(made)


def describe(files: Path, version: Version, key: Path, *options: str, number: str = "") -> None:
    """Write release.json, its signature and SHA256SUMS into a folder of built files, by the version's own sources."""
    run_release_tool(version.tree, "write", files, "--version", number or version.number, "--key", key, *options)


def sign(path: Path, key: Path, *options: str) -> None:
    """Sign a file again, as after a change by whoever has the key."""
    run_release_tool(versions.ROOT, "sign", path, "--key", key, *options)


def run_release_tool(tree: Path, *arguments: str | Path) -> None:
    """Run packaging/release.py of a tree of sources. Raises RuntimeError with what it said."""
    command = [sys.executable, str(tree / "packaging" / "release.py"), *map(str, arguments)]
    environ = {name: value for name, value in os.environ.items() if name != "FAIRLEAD_RELEASE_PASSWORD"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environ, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"packaging/release.py {arguments[0]}: {done.stderr.strip()}")
