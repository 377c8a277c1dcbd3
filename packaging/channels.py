"""Writes what each channel of distribution takes, from the description of one release:

  python packaging/channels.py RELEASE_JSON --out DIR

release.json and the built archives come from packaging/release.py and build/build.py. Written into DIR:
  release/     deb, rpm, install.sh, install.ps1, and the archive of man pages and completions: files of the release
  homebrew/    Formula and, when the macOS programs are signed, Casks of a tap
  scoop/       the manifest of a bucket
  winget/      the manifests of winget's community repository
  aur/         PKGBUILD and .SRCINFO
  container/   Containerfile and all that it copies
The same release gives the same bytes.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from formats import arch, container, debian, homebrew, installers, redhat, scoop, share, winget  # noqa: E402
from formats.description import ChannelError, Description, read, write  # noqa: E402

from router.installation.project import RELEASES_URL  # noqa: E402 - after the sources' own place

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNELS = ("homebrew", "scoop", "winget", "deb", "rpm", "aur", "container", "installers")
# These hold man pages and completions, or say where they are.
_WITH_SHARE = {"homebrew", "deb", "rpm", "aur"}


def main() -> int:
    """Generate the channels; 0 when all is well."""
    options = _parser().parse_args()
    try:
        described = read(options.release, folder=options.files, releases_url=options.base_url)
        for line in generate(described, options):
            print(line, flush=True)
    except ChannelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Write what each channel of distribution takes.")
    parser.add_argument("release", type=Path, metavar="RELEASE_JSON", help="the description of the release")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--base-url", default=RELEASES_URL, metavar="URL", help=f"default {RELEASES_URL}")
    parser.add_argument("--files", type=Path, metavar="DIR", help="the built files; default: beside RELEASE_JSON")
    parser.add_argument(
        "--man", type=Path, default=ROOT / "packaging" / "man", metavar="DIR", help="man pages; default packaging/man"
    )
    parser.add_argument(
        "--completions", type=Path, metavar="DIR", help="completions; default: what the built program prints"
    )
    parser.add_argument(
        "--key", action="append", metavar="KEY", help="a public key for install.sh; default: those of the program"
    )
    parser.add_argument(
        "--only", action="append", choices=CHANNELS, metavar="CHANNEL", help=f"one of {', '.join(CHANNELS)}; repeatable"
    )
    return parser


def generate(described: Description, options: argparse.Namespace) -> list[str]:
    """Write the channels that are asked for; a line for each. Raises ChannelError."""
    out: Path = options.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ChannelError(f"{out} is not empty.", "Name a new folder with --out.")
    wanted: tuple[str, ...] = tuple(options.only or CHANNELS)
    told: list[str] = []
    writers: dict[str, Callable[[], None]] = {
        "scoop": lambda: scoop.generate(described, out / "scoop"),
        "winget": lambda: winget.generate(described, out / "winget"),
        "container": lambda: container.generate(described, out / "container"),
        "installers": lambda: installers.generate(out / "release", tuple(options.key) if options.key else None),
    }
    if _WITH_SHARE & set(wanted):
        shared = share.collect(described, man=options.man, completions=options.completions)
        packed = share.pack(shared, described)
        (out / "release").mkdir(parents=True, exist_ok=True)
        (out / "release" / packed[0]).write_bytes(packed[1])
        told.append(f"release/{packed[0]}   man pages, completions and the unit of systemd")
        writers |= {
            "homebrew": lambda: homebrew.generate(described, packed, out / "homebrew"),
            "aur": lambda: arch.generate(described, packed, out / "aur"),
            "deb": lambda: debian.generate(described, shared, out / "release"),
            "rpm": lambda: redhat.generate(described, shared, out / "release"),
        }
    for channel in CHANNELS:
        if channel in wanted:
            writers[channel]()
            told.append(f"{channel}   written")
    write(out / "VERSION", f"{described.version}\n")
    return told


if __name__ == "__main__":
    sys.exit(main())
