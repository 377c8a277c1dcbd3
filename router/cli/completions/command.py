"""`fairlead completions SHELL`: the script that gives a shell its completions, printed or put where the shell looks."""

import os
from collections.abc import Mapping
from pathlib import Path

from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.cli.completions.scripts import SCRIPTS
from router.errors import CommandError, UsageError


def run(argv: list[str]) -> int:
    """Print, write or remove the script."""
    parser = Parser(
        "completions",
        "Print the script that completes fairlead's commands, options, models, backends, accounts and settings in a "
        "shell. What it offers is read from your files at each Tab, without network.",
        examples=[
            'eval "$(fairlead completions bash)"',
            "fairlead completions fish --install",
            "fairlead completions powershell | Out-String | Invoke-Expression",
        ],
    )
    parser.add_argument("shell", metavar="SHELL", choices=[*SCRIPTS], help=f"{', '.join(SCRIPTS)}")
    parser.add_argument("--install", action="store_true", help="write it where new shells find it (not PowerShell)")
    parser.add_argument("--uninstall", action="store_true", help="remove the file that --install wrote")
    options = parser.read(argv)
    if options.install and options.uninstall:
        raise UsageError("--install and --uninstall cannot be used together.")
    if options.install:
        _install(options.shell, find_file(options.shell, os.environ))
    elif options.uninstall:
        _uninstall(options.shell, find_file(options.shell, os.environ))
    else:
        print(SCRIPTS[options.shell], end="")
    return 0


def find_file(shell: str, environ: Mapping[str, str]) -> Path:
    """The file in which a shell looks for the script, whether it exists or not. Raises CommandError."""
    own = Path(os.path.expanduser("~"))
    if shell == "bash":
        named = environ.get("BASH_COMPLETION_USER_DIR", "")
        folder = Path(named) if os.path.isabs(named) else _find_data(own, environ) / "bash-completion"
        return folder / "completions" / "fairlead"
    if shell == "zsh":
        return _find_data(own, environ) / "zsh" / "site-functions" / "_fairlead"
    if shell == "fish":
        return _find_base("XDG_CONFIG_HOME", own / ".config", environ) / "fish" / "completions" / "fairlead.fish"
    raise CommandError(
        "PowerShell has no folder for scripts of completion.",
        "Add this line to the file that $PROFILE names:\n"
        "fairlead completions powershell | Out-String | Invoke-Expression",
    )


def _find_data(own: Path, environ: Mapping[str, str]) -> Path:
    return _find_base("XDG_DATA_HOME", own / ".local" / "share", environ)


def _find_base(variable: str, default: Path, environ: Mapping[str, str]) -> Path:
    # A relative one is to be ignored (XDG Base Directory Specification).
    named = environ.get(variable, "")
    return Path(named) if os.path.isabs(named) else default


def _install(shell: str, path: Path) -> None:
    before = _read(path)
    if before is not None and not is_ours(before):
        raise CommandError(f"{path} exists and was not written by fairlead.", "Move it away, then try again.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SCRIPTS[shell], "utf-8", newline="\n")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
    say(f"{path}")
    say(_NEXT[shell].format(folder=path.parent))
    note(f"Undo:   fairlead completions {shell} --uninstall")


_NEXT = {
    "bash": "New shells use it, where bash-completion is loaded. In this one:   source <(fairlead completions bash)",
    "zsh": "New shells use it when ~/.zshrc has this line before compinit:\nfpath=({folder} $fpath)",
    "fish": "All shells use it now.",
}


def _uninstall(shell: str, path: Path) -> None:
    before = _read(path)
    if before is None:
        say(f"There is no {path}.")
        return
    if not is_ours(before):
        raise CommandError(f"{path} was not written by fairlead, and stays.")
    try:
        path.unlink()
    except OSError as error:
        raise CommandError(f"{path} cannot be removed: {error.strerror}.") from None
    say(f"Removed {path}.")


def _read(path: Path) -> str | None:
    """The file's beginning, None when there is none. Raises CommandError."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(200)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def is_ours(beginning: str) -> bool:
    return "Written by: fairlead completions" in beginning
