"""Describes and signs a release: `python packaging/release.py DIST --version 0.3.0 --key release.key`.

DIST holds the built programs by the names that build/build.py gives them. Written there:
  release.json           every program with its size and SHA-256 (router/installation/upgrade/manifest.py)
  release.json.minisig   its signature, as `minisign -S` makes it; the trusted comment is `fairlead VERSION DATE`
  SHA256SUMS             of all files of DIST, for `sha256sum -c`
The password of the key is in $FAIRLEAD_RELEASE_PASSWORD. Further commands: `new-key FILE`, `sign FILE… --key KEY`,
`verify FILE… --public LINE-OR-FILE`, `check-keys` (fails unless the sources hold two public keys). packaging/keys tells
who holds the keys.
"""

import argparse
import datetime
import hashlib
import os
import re
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
# These sources, and not another fairlead that this Python has: its keys and its history are others.
sys.path.insert(0, str(ROOT))

from minisign_keys import KeyProblem, make_key, read_key, sign, write_key  # noqa: E402 - it imports router as well

from router.installation.upgrade import minisign  # noqa: E402 - after the sources' own place
from router.installation.upgrade.manifest import Release, ReleaseFile  # noqa: E402
from router.installation.upgrade.release_keys import PUBLIC_KEYS  # noqa: E402
from router.store.database.migrations import MIGRATIONS  # noqa: E402

PASSWORD = "FAIRLEAD_RELEASE_PASSWORD"
MANIFEST, SUMS = "release.json", "SHA256SUMS"
#: Days after which a description is too old to install from.
DAYS = 400
NOTES_LIMIT = 2000
COMMANDS = ("write", "new-key", "sign", "verify", "check-keys")
_VERSION = r"(?P<version>\d+\.\d+\.\d+)"
_PLACE = r"(?P<os>linux|macos|windows)-(?P<arch>x86_64|arm64)(?P<musl>-musl)?(?P<unsigned>-unsigned)?"
_FOLDER = re.compile(rf"fairlead-{_VERSION}-{_PLACE}\.(?:tar\.xz|zip)")
_FILE = re.compile(rf"fairlead-{_PLACE}(?:\.exe)?")


class ReleaseProblem(Exception):
    """What is wrong with the files or the arguments, and what to do."""


def main(argv: list[str]) -> int:
    """Run one command; 0 when all is well."""
    try:
        if argv and argv[0] not in (*COMMANDS, "-h", "--help"):
            argv = ["write", *argv]
        options = _parser().parse_args(argv)
        options.run(options)
    except (ReleaseProblem, KeyProblem, minisign.BadSignature) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    write = commands.add_parser("write", help="describe and sign a folder of programs (the default)")
    write.add_argument("dist", type=Path, metavar="DIST")
    write.add_argument("--version", required=True)
    write.add_argument("--key", type=Path, required=True, metavar="FILE", help="secret key")
    write.add_argument("--date", help="YYYY-MM-DD; default: $SOURCE_DATE_EPOCH, else today")
    write.add_argument("--days", type=int, default=DAYS, help=f"installable for so many days (default {DAYS})")
    write.add_argument("--min-from", default="0.1.0", metavar="VERSION", help="oldest version that can be upgraded")
    write.add_argument("--notes", type=Path, metavar="FILE", help="default: the version's entry of CHANGELOG")
    write.add_argument("--history-schema", type=int, default=len(MIGRATIONS), help="default: that of these sources")
    write.set_defaults(run=_write)
    new = commands.add_parser("new-key", help="make a key pair: FILE and FILE.pub")
    new.add_argument("file", type=Path, metavar="FILE")
    new.set_defaults(run=_make_key)
    signing = commands.add_parser("sign", help="sign any files")
    signing.add_argument("files", type=Path, nargs="+", metavar="FILE")
    signing.add_argument("--key", type=Path, required=True, metavar="FILE", help="secret key")
    signing.add_argument("--comment", default="", help="trusted comment; default: time and name of the file")
    signing.set_defaults(run=_sign)
    verifying = commands.add_parser("verify", help="verify files by their .minisig")
    verifying.add_argument("files", type=Path, nargs="+", metavar="FILE")
    verifying.add_argument("--public", action="append", metavar="LINE-OR-FILE", help="default: those of the sources")
    verifying.set_defaults(run=_verify)
    checking = commands.add_parser("check-keys", help="fail unless the sources hold two public keys")
    checking.set_defaults(run=_check_keys)
    return parser


def _write(options: argparse.Namespace) -> None:
    dist: Path = options.dist
    if not re.fullmatch(_VERSION, options.version):
        raise ReleaseProblem(f"--version is {options.version}; expected MAJOR.MINOR.PATCH")
    date = _read_date(options.date)
    files = describe_files(dist, options.version)
    release = Release(
        version=options.version,
        date=date.isoformat(),
        expires=(date + datetime.timedelta(days=options.days)).isoformat(),
        min_from=options.min_from,
        notes=_read_notes(options.notes, options.version),
        history_schema=options.history_schema,
        files=files,
    )
    key = read_key(options.key, os.environ.get(PASSWORD, ""))
    data = msgspec.json.format(msgspec.json.encode(release), indent=1) + b"\n"
    signature = sign(data, key, comment=f"fairlead {release.version} {release.date}")
    # What is written is what can be verified: a key file whose halves do not fit would be found here.
    minisign.verify(data, signature, [key.public_line])
    (dist / MANIFEST).write_bytes(data)
    (dist / f"{MANIFEST}.minisig").write_bytes(signature)
    write_sums(dist)
    print(f"{MANIFEST}   {release.version}, {len(files)} programs, until {release.expires}")
    print(f"signed with {minisign.show_id(key.id)}")
    if key.public_line not in PUBLIC_KEYS:
        print("note: the sources do not hold this key: what is built from them will not take this release.")


def describe_files(dist: Path, version: str) -> list[ReleaseFile]:
    """The programs of a folder, by name. Raises ReleaseProblem for none, one of another version, or two for one
    system."""
    found: dict[tuple[str, ...], ReleaseFile] = {}
    for path in sorted(dist.iterdir()):
        named = _FOLDER.fullmatch(path.name) or _FILE.fullmatch(path.name)
        if named is None or not path.is_file():
            continue
        parts = named.groupdict()
        if parts.get("version", version) != version:
            raise ReleaseProblem(f"{path.name} is of another version than {version}")
        libc = ("musl" if parts["musl"] else "glibc") if parts["os"] == "linux" else ""
        form = "folder" if "version" in parts else "file"
        file = ReleaseFile(
            os=parts["os"],
            arch=parts["arch"],
            libc=libc,
            form=form,
            name=path.name,
            size=path.stat().st_size,
            sha256=hash_file(path),
            unpacked=measure(path) if form == "folder" else path.stat().st_size,
            signed=parts["os"] != "linux" and not parts["unsigned"],
        )
        place = (file.os, file.arch, file.libc, form)
        if place in found:
            raise ReleaseProblem(f"{found[place].name} and {path.name} are for one system")
        found[place] = file
    if not found:
        raise ReleaseProblem(f"{dist} holds no program, such as fairlead-{version}-linux-x86_64.tar.xz")
    return list(found.values())


def measure(archive: Path) -> int:
    """Bytes of all files in an archive."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            return sum(entry.file_size for entry in packed.infolist())
    with tarfile.open(archive) as packed:
        return sum(entry.size for entry in packed)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(dist: Path) -> None:
    """Write SHA256SUMS of all files of a folder."""
    paths = sorted(path for path in dist.iterdir() if path.is_file() and path.name != SUMS)
    lines = [f"{hash_file(path)}  {path.name}\n" for path in paths]
    (dist / SUMS).write_text("".join(lines), "utf-8", newline="\n")


def _read_date(text: str | None) -> datetime.date:
    if text is None:
        stamp = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        return datetime.datetime.fromtimestamp(stamp, datetime.UTC).date()
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ReleaseProblem(f"--date is {text}; expected YYYY-MM-DD") from None


def _read_notes(path: Path | None, version: str) -> str:
    text = (path or ROOT / "packaging" / "CHANGELOG.md").read_text("utf-8")
    if path is None:
        entry = re.search(rf"^## {re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        text = entry[1] if entry else ""
    text = text.strip()
    return text if len(text) <= NOTES_LIMIT else text[: NOTES_LIMIT - 1].rstrip() + "…"


def _make_key(options: argparse.Namespace) -> None:
    key = make_key()
    password = os.environ.get(PASSWORD, "")
    write_key(key, options.file, password)
    print(f"{options.file}   keep it secret" + ("" if password else f"; it is not encrypted: ${PASSWORD} is not set"))
    print(f"{options.file}.pub   {key.public_line}")


def _sign(options: argparse.Namespace) -> None:
    key = read_key(options.key, os.environ.get(PASSWORD, ""))
    for path in options.files:
        comment = options.comment or f"timestamp:{int(time.time())}\tfile:{path.name}\thashed"
        path.with_name(f"{path.name}.minisig").write_bytes(sign(path.read_bytes(), key, comment=comment))
        print(f"{path}.minisig")


def _verify(options: argparse.Namespace) -> None:
    keys = options.public or list(PUBLIC_KEYS)
    keys = [Path(key).read_text("utf-8") if Path(key).is_file() else key for key in keys]
    if not keys:
        raise ReleaseProblem("there is no public key; name one:   --public LINE-OR-FILE")
    for path in options.files:
        try:
            signature = path.with_name(f"{path.name}.minisig").read_bytes()
            comment = minisign.verify(path.read_bytes(), signature, keys)
        except OSError as error:
            raise ReleaseProblem(f"{error.filename} cannot be read: {error.strerror}") from None
        except ValueError as error:
            raise ReleaseProblem(f"--public: {error}") from None
        print(f"{path}   signature ok   {comment}")


def _check_keys(options: argparse.Namespace) -> None:
    if len({minisign.parse_public_key(key).key for key in PUBLIC_KEYS}) < 2:
        raise ReleaseProblem(
            "router/installation/upgrade/release_keys.py holds fewer than two keys; see packaging/keys/README.md"
        )
    print("\n".join(minisign.parse_public_key(key).shown for key in PUBLIC_KEYS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
