"""`fairlead config edit`: run the user's editor on a private copy, which replaces the file when it is valid."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import PurePath

from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.cli.config.judge import make_judge
from router.cli.config.set import announce_change
from router.errors import CommandError
from router.settings import DECLARATIONS, Loaded, resolve
from router.store.config import toml
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown, word

# Editors that are used in a terminal alone.
_IN_TERMINAL = frozenset(
    ("sensible-editor", "nano", "pico", "vi", "vim", "nvim", "view", "hx", "helix", "micro", "joe", "ne", "mcedit")
)
_FIRST = "# fairlead's settings. All there are, with their values:   fairlead config show\n"


def run(argv: list[str]) -> int:
    """Edit the file; exit code 1 when the result was not valid. The copy then stays beside the file."""
    parser = Parser(
        "config edit",
        "Open config.toml in $VISUAL or $EDITOR. It is a copy until it is saved and found valid.",
        examples=["fairlead config edit", "EDITOR='code --wait' fairlead config edit"],
    )
    parser.read(argv)
    home = open_home(os.environ)
    editor = _find_editor()
    _check_terminal(editor[0])
    old = home.read(toml.NAME)
    copy = f"config.edit.{os.getpid()}.toml"
    start = _FIRST.encode() if old is None else old
    home.write(copy, start)
    try:
        return _edit(home, editor, copy, old)
    except KeyboardInterrupt:
        _end_interrupted(home, copy, start)
        raise


def _end_interrupted(home: Home, copy: str, start: bytes) -> None:
    """Leave no copy behind that holds nothing new, and say where one with changes is."""
    if home.read(copy) in (None, start):
        home.remove(copy)
    else:
        note(f"\nNothing was saved. {_make_kept_error(home, copy, '').hint}")


def _find_editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        named = os.environ.get(name, "").strip()
        if named:
            try:
                return shlex.split(named, posix=sys.platform != "win32")
            except ValueError:
                raise CommandError(f"${name} is not a valid command line: a quote is not closed.") from None
    for usual in ("notepad",) if sys.platform == "win32" else ("sensible-editor", "nano", "vi"):
        found = shutil.which(usual)
        if found:
            return [found]
    raise CommandError("no editor was found.", "Name one:   EDITOR=nano fairlead config edit")


def _check_terminal(editor: str) -> None:
    """Refuse an editor that would wait for keys, or fail, where nobody can type. Raises CommandError."""
    if PurePath(editor).stem.lower() in _IN_TERMINAL and not (sys.stdin and sys.stdin.isatty()):
        raise CommandError(
            f"{editor} needs a terminal, and standard input is none.",
            "Change one setting:   fairlead config set KEY VALUE",
        )


def _edit(home: Home, editor: list[str], copy: str, old: bytes | None) -> int:
    start = home.read(copy)
    while True:
        _open(home, editor, copy, start)
        new = _read(home, copy)
        if new == start:
            home.remove(copy)
            say("Nothing was changed.")
            return 0
        try:
            changed = _check(home, copy, old, new)
        except CommandError as error:
            note(f"error: {error}")
            if not _ask_again():
                raise _make_kept_error(home, copy, "nothing was saved.") from None
            continue
        _replace(home, copy, old, new)
        say(f"Saved {shown(home.at(toml.NAME))}.")
        announce_change(home, changed)
        return 0


def _open(home: Home, editor: list[str], copy: str, start: bytes | None) -> None:
    try:
        code = subprocess.call([*editor, str(home.at(copy))])  # noqa: S603
    except OSError as error:
        home.remove(copy)
        raise CommandError(
            f"{editor[0]} cannot be started: {error.strerror}.", "Name another:   EDITOR=nano fairlead config edit"
        ) from None
    if code and _read(home, copy) == start:
        home.remove(copy)
        raise CommandError(f"{editor[0]} ended with code {code}; nothing was changed.")
    if code:
        raise _make_kept_error(home, copy, f"{editor[0]} ended with code {code}, so nothing was saved.")


def _read(home: Home, copy: str) -> bytes:
    path = home.at(copy)
    if sys.platform != "win32" and path.is_file() and not path.is_symlink():
        # An editor that replaces the file creates it with its own mode.
        path.chmod(0o600)
    data = home.read(copy)
    if data is None:
        raise CommandError(f"the editor removed {shown(path)}; nothing was saved.")
    return data


def _check(home: Home, copy: str, old: bytes | None, new: bytes) -> list[str]:
    """The keys whose values differ. Differences in tables only give `aliases`; when the file was invalid before, every
    key that needs a restart counts as changed."""
    name = shown(home.at(copy))
    loaded = _load(new, name)
    make_judge(home)(toml.decode(old or b"", name), toml.decode(new, name))
    try:
        before = _load(old or b"", name).settings
    except CommandError:
        return ["aliases", *(entry.key for entry in DECLARATIONS if entry.restart)]
    changed = [
        entry.key
        for entry in DECLARATIONS
        if getattr(before, entry.attribute) != getattr(loaded.settings, entry.attribute)
    ]
    return changed or ["aliases"]


def _load(data: bytes, name: str) -> Loaded:
    return resolve({}, {}, toml.parse(toml.decode(data, name), name))


def _ask_again() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("Edit it again? [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        return False


def _replace(home: Home, copy: str, old: bytes | None, new: bytes) -> None:
    with home.lock():
        if home.read(toml.NAME) != old:
            raise _make_kept_error(home, copy, "config.toml was changed meanwhile, so nothing was saved.")
        home.write(toml.NAME, new)
    home.remove(copy)


def _make_kept_error(home: Home, copy: str, what: str) -> CommandError:
    return CommandError(
        what, f"Your text is kept. When it is right:   mv {word(home.at(copy))} {word(home.at(toml.NAME))}"
    )
