"""How this copy of fairlead was installed, and the command that upgrades it.

Found by where its files are, without running anything: package managers are told apart by their folders and databases.
The first row of the table that fits counts. Tests give other files and another root of the file system.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from router.installation.project import REPOSITORY

#: What is upgraded by `fairlead upgrade` itself.
OWN = "fairlead upgrade"
SCRIPT = f"curl -fsSL https://github.com/{REPOSITORY}/releases/latest/download/install.sh | sh"
SCRIPT_WINDOWS = f"irm https://github.com/{REPOSITORY}/releases/latest/download/install.ps1 | iex"
_SCRIPT_CHOSEN = f"{SCRIPT} -s -- --version VERSION"
IMAGE = f"ghcr.io/{REPOSITORY}"


class Copy(NamedTuple):
    """The files of a copy of fairlead."""

    #: The program with its links resolved; without one, the Python that runs it, as it was called.
    program: Path
    #: The folder of the package `router`.
    package: Path
    #: `folder` or `file` for a built program, '' when Python runs the package.
    form: str
    environ: Mapping[str, str]
    #: `linux`, `darwin` or `win32`.
    system: str
    #: Before all absolute paths of the system: `/`, elsewhere in tests.
    root: Path = Path("/")

    def below(self, *names: str) -> bool:
        """True when these folders follow each other in the program's path, in any case of letters."""
        parts = [part.lower() for part in self.program.parts[:-1]]
        wanted = [name.lower() for name in names]
        return any(parts[at : at + len(wanted)] == wanted for at in range(len(parts)))

    def at(self, name: str) -> Path:
        """A file of the system."""
        return self.root / name

    @property
    def environment(self) -> Path:
        """The folder of the Python environment that runs the package."""
        return self.program.parent.parent


class Installation(NamedTuple):
    """How a copy was installed."""

    kind: str
    #: What upgrades it, for the user to run; OWN where `fairlead upgrade` does.
    command: str
    #: What the user should know of it, '' when the command says all.
    about: str = ""
    #: Of an installation with version folders: where they are.
    prefix: Path | None = None
    #: What installs a certain version, and what goes back to the one before; VERSION stands for it. OWN as above.
    chosen: str = OWN
    before: str = OWN
    #: What the user should know of these two.
    about_chosen: str = ""

    @property
    def own(self) -> bool:
        """True where `fairlead upgrade` replaces it itself."""
        return self.command == OWN


def find_copy(environ: Mapping[str, str]) -> Copy:
    """The copy that runs now."""
    frozen = bool(getattr(sys, "frozen", False))
    program = Path(os.path.realpath(sys.executable)) if frozen else Path(sys.executable)
    inner = Path(str(getattr(sys, "_MEIPASS", program.parent)))
    # One file unpacks itself into a temporary folder; the files of the folder form stay below the program.
    form = ("folder" if Path(os.path.realpath(inner)).is_relative_to(program.parent) else "file") if frozen else ""
    return Copy(program, Path(__file__).resolve().parents[1], form, environ, sys.platform)


def detect(copy: Copy) -> Installation:
    """How it was installed."""
    prefix = copy.program.parents[2] if copy.form and len(copy.program.parents) > 2 else None
    if copy.form == "folder" and prefix is not None and _has_receipt(copy, prefix):
        return Installation("receipt", OWN, prefix=prefix)
    for way in _TABLE:
        if way.fits(copy):
            chosen = way.chosen(copy)
            return Installation(
                way.kind,
                way.newest(copy),
                way.about,
                chosen=chosen,
                before=way.before or chosen,
                about_chosen=way.about_chosen,
            )
    return Installation("file", OWN)


def _has_receipt(copy: Copy, prefix: Path) -> bool:
    from router.installation.receipt import read_receipt

    return copy.program.parents[1].name == "versions" and read_receipt(prefix) is not None


def _is_scoop(copy: Copy) -> bool:
    # apps/NAME/VERSION below any root; these two files are Scoop's own.
    folder = copy.program.parent
    return bool(copy.form) and copy.below("apps", "fairlead") and (folder / "install.json").is_file()


def _lists(path: Path, wanted: str) -> bool:
    try:
        return wanted in path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False


def _is_deb(copy: Copy) -> bool:
    """True when dpkg's list of the package names this program."""
    lists = copy.at("var/lib/dpkg/info")
    wanted = "/" + copy.program.relative_to(copy.root).as_posix() if copy.program.is_relative_to(copy.root) else ""
    return any(_lists(path, wanted) for path in (lists / "fairlead.list", *lists.glob("fairlead:*.list")))


def _is_system_file(copy: Copy) -> bool:
    usr = copy.at("usr")
    return bool(copy.form) and copy.program.is_relative_to(usr) and not copy.program.is_relative_to(usr / "local")


def _is_rpm(copy: Copy) -> bool:
    # rpm's database is not a text. Nothing else that is known puts a built fairlead below /usr of such a system.
    return _is_system_file(copy) and any(
        copy.at(folder).is_dir() for folder in ("usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm")
    )


def _is_pacman(copy: Copy) -> bool:
    return _is_system_file(copy) and any(copy.at("var/lib/pacman/local").glob("fairlead*"))


def _use_pacman(command: str) -> Callable[[Copy], str]:
    """The command with the package's name in it."""

    def make(copy: Copy) -> str:
        built = any(copy.at("var/lib/pacman/local").glob("fairlead-bin-*"))
        return command.replace("NAME", "fairlead-bin" if built else "fairlead")

    return make


def _is_container(copy: Copy) -> bool:
    marked = copy.at(".dockerenv").exists() or copy.at("run/.containerenv").exists()
    # An image holds no folder of versions: that is of an installer that ran inside, and has lost its receipt.
    image = copy.form == "folder" and copy.program.parent.parent.name != "versions"
    return image and (marked or bool(copy.environ.get("container")))


def _is_in_site_packages(copy: Copy) -> bool:
    return not copy.form and copy.package.parent.name in ("site-packages", "dist-packages")


def _is_uv_tool(copy: Copy) -> bool:
    return not copy.form and (copy.environment / "uv-receipt.toml").is_file()


def _is_pipx(copy: Copy) -> bool:
    return not copy.form and (copy.environment / "pipx_metadata.json").is_file()


def _is_uv_environment(copy: Copy) -> bool:
    try:
        text = (copy.environment / "pyvenv.cfg").read_text("utf-8", "replace")
    except OSError:
        return False
    return _is_in_site_packages(copy) and any(line.startswith("uv =") for line in text.splitlines())


def _use_pip(what: str) -> Callable[[Copy], str]:
    def make(copy: Copy) -> str:
        word = str(copy.program)
        return f'"{word}" -m pip install {what}' if " " in word else f"{word} -m pip install {what}"

    return make


def _is_folder(copy: Copy) -> bool:
    return copy.form == "folder"


def _use_script(command: str, windows: str) -> Callable[[Copy], str]:
    return lambda copy: windows if copy.system == "win32" else command


def _is_source(copy: Copy) -> bool:
    return not copy.form


def _below(*names: str) -> Callable[[Copy], bool]:
    return lambda copy: copy.below(*names)


def _say(text: str) -> Callable[[Copy], str]:
    return lambda _: text


_RELEASES = f"https://github.com/{REPOSITORY}/releases"


class _Way(NamedTuple):
    """One way in which others install a copy."""

    kind: str
    fits: Callable[[Copy], bool]
    #: The newest version, and the one that VERSION stands for.
    newest: Callable[[Copy], str]
    chosen: Callable[[Copy], str]
    #: The version before, where it has a command of its own for that; VERSION may stand in it too.
    before: str = ""
    #: What to know for the first, and for the others.
    about: str = ""
    about_chosen: str = ""


def _brew(name: str, kind: str, option: str) -> _Way:
    return _Way(
        name,
        _below(kind, "fairlead"),
        _say(f"brew upgrade {option}fairlead"),
        _say(f"brew uninstall {option}fairlead && {_SCRIPT_CHOSEN}"),
        about_chosen="Homebrew has the newest version only, the installer has all",
    )


#: The first that fits counts.
_TABLE: tuple[_Way, ...] = (
    _brew("brew cask", "Caskroom", "--cask "),
    _brew("brew", "Cellar", ""),
    _Way(
        "nix",
        _below("nix", "store"),
        _say("nix profile upgrade fairlead"),
        _say("nix profile install 'nixpkgs/COMMIT#fairlead'"),
        before="nix profile rollback",
        about_chosen="its profile has generations, and nixpkgs a commit with each version",
    ),
    _Way(
        "scoop",
        _is_scoop,
        _say("scoop update fairlead"),
        _say("scoop install fairlead@VERSION"),
        before="scoop reset fairlead@VERSION",
    ),
    _Way(
        "winget",
        _below("WinGet", "Packages"),
        _say("winget upgrade --exact --id fairlead.fairlead"),
        _say(
            "winget uninstall --exact --id fairlead.fairlead, "
            "then winget install --exact --id fairlead.fairlead --version VERSION"
        ),
    ),
    _Way("uv tool", _is_uv_tool, _say("uv tool upgrade fairlead"), _say("uv tool install fairlead==VERSION")),
    _Way("pipx", _is_pipx, _say("pipx upgrade fairlead"), _say("pipx install --force fairlead==VERSION")),
    _Way(
        "uv",
        _is_uv_environment,
        _say("uv pip install --upgrade fairlead"),
        _say("uv pip install fairlead==VERSION"),
    ),
    _Way(
        "pip",
        _is_in_site_packages,
        _use_pip("--upgrade fairlead"),
        _use_pip("fairlead==VERSION"),
    ),
    _Way(
        "deb",
        _is_deb,
        _say("sudo apt install ./fairlead_VERSION_ARCH.deb"),
        _say("sudo apt install --allow-downgrades ./fairlead_VERSION_ARCH.deb"),
        about=f"the package is on {_RELEASES}/latest",
        about_chosen=f"each version's package is on {_RELEASES}",
    ),
    _Way(
        "pacman",
        _is_pacman,
        _use_pacman("yay -S NAME"),
        _use_pacman("sudo pacman -U ~/.cache/yay/NAME/NAME-VERSION-1-ARCH.pkg.*"),
        about_chosen="yay keeps the packages that it built",
    ),
    _Way(
        "rpm",
        _is_rpm,
        _say("sudo dnf install ./fairlead-VERSION-1.ARCH.rpm"),
        _say("sudo dnf install ./fairlead-VERSION-1.ARCH.rpm"),
        before="sudo dnf downgrade ./fairlead-VERSION-1.ARCH.rpm",
        about=f"the package is on {_RELEASES}/latest",
        about_chosen=f"each version's package is on {_RELEASES}",
    ),
    _Way(
        "container",
        _is_container,
        _say(f"docker pull {IMAGE}:latest"),
        _say(f"docker pull {IMAGE}:VERSION"),
        about="then start the container anew",
        about_chosen="then start the container anew from that image",
    ),
    _Way(
        "folder",
        _is_folder,
        _use_script(SCRIPT, SCRIPT_WINDOWS),
        _use_script(_SCRIPT_CHOSEN, f"$env:FAIRLEAD_VERSION='VERSION'; {SCRIPT_WINDOWS}"),
        about="it was unpacked by hand; the installer keeps it up to date",
        about_chosen="it was unpacked by hand; the installer has every version",
    ),
    _Way(
        "source",
        _is_source,
        _say("git pull"),
        _say("git checkout vVERSION"),
        about="it runs from its sources",
        about_chosen="it runs from its sources",
    ),
)
