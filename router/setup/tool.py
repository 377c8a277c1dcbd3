"""What setup knows of a tool, and what a tool's changes are made of."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from router.settings.kinds import NO_KEY
from router.setup.formats.document import Change

#: The name of what is added where a tool has several providers or models beside each other.
ENTRY = "fairlead"


class Place(NamedTuple):
    """Where a user's configuration is looked for."""

    environ: Mapping[str, str]
    #: The user's own folder.
    home: Path
    #: `linux`, `darwin` or `win32`.
    system: str

    def find(self, variable: str, *default: str) -> Path:
        """The folder that a variable names, else one below the user's own."""
        named = self.environ.get(variable, "")
        return Path(named).expanduser() if named else self.home.joinpath(*default)

    def find_config(self) -> Path:
        """The folder for configuration: $XDG_CONFIG_HOME, else ~/.config, also where the system has another one."""
        named = self.environ.get("XDG_CONFIG_HOME", "")
        return Path(named) if named.startswith("/") else self.home / ".config"

    def find_application_data(self) -> Path:
        """The folder that the system has for it: ~/.config, ~/Library/Application Support or %APPDATA%."""
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        if self.system == "win32":
            return self.find("APPDATA", "AppData", "Roaming")
        return self.find_config()


class Model(NamedTuple):
    """A model that a tool is told of; None and "" for what is not known."""

    name: str
    #: For people.
    title: str = ""
    #: Tokens: of input and output together, and of output alone.
    window: int | None = None
    max_output: int | None = None
    #: It takes images.
    images: bool = False

    @property
    def label(self) -> str:
        """The name for people."""
        return self.title or self.name

    @property
    def least_output(self) -> int | None:
        """Tokens of output, understated where only the window is known: some tools take both numbers or none."""
        if self.max_output is not None or self.window is None:
            return self.max_output
        return min(8192, self.window // 4)


class Target(NamedTuple):
    """What a tool is pointed at."""

    #: The proxy's URL, without a path.
    url: str
    #: What the tool lists, and the one that it begins with.
    models: tuple[Model, ...]
    model: Model
    #: The user named the model.
    chosen: bool = False
    #: fairlead's client key, "" where clients need none.
    key: str = ""
    #: The command that prints that key, () where it is not kept for the tool.
    key_command: tuple[str, ...] = ()
    #: The protocols for which the tool's own login is passed on.
    login: frozenset[str] = frozenset()
    #: The one that the user named, else the tool's first one.
    protocol: str = ""
    #: NO_PROXY as it must be for the tool to reach this machine; "" where it is so already.
    no_proxy: str = ""

    @property
    def v1(self) -> str:
        """The URL for tools that append only the last part of a path."""
        return f"{self.url}/v1"

    @property
    def any_key(self) -> str:
        """The key, or the word that counts for none where a tool insists on one."""
        return self.key or NO_KEY


class FileChange(NamedTuple):
    """The changes of one file."""

    path: Path
    #: A name of `formats.registry`.
    format: str
    changes: tuple[Change, ...]


class Tool(NamedTuple):
    """One tool."""

    name: str
    title: str
    #: The version that was tried, or the page that it is taken from.
    source: str
    other_names: tuple[str, ...] = ()
    #: Its program on PATH, "" where there is none to be found.
    program: str = ""
    version_arguments: tuple[str, ...] = ("--version",)
    #: The oldest version that reads what setup writes; "" where none is known that does not.
    oldest: str = ""
    #: What `--protocol` may be, the default first.
    protocols: tuple[str, ...] = ()
    #: The file that says where it points, and its format.
    find_main: Callable[[Place], tuple[Path, str]] | None = None
    #: What setup writes.
    make_changes: Callable[[Target, Place], list[FileChange]] | None = None
    #: The base URL that the main file's value names, "" for none.
    read_base: Callable[[Any], str] | None = None
    #: It writes NO_PROXY too, where that is needed.
    sets_no_proxy: bool = False
    #: Files below a project's folder that have precedence, by the same format as the main file.
    project_files: tuple[str, ...] = ()
    #: It reads the nearest one of these files and the main file alone: one that does not name a URL hides the others.
    reads_one_file: bool = False
    #: Files of an administrator that have precedence, by system.
    managed_files: Mapping[str, tuple[str, ...]] = {}
    #: Variables that have precedence over the file.
    stronger_variables: tuple[str, ...] = ()
    #: Keys of the main file that contradict what is written, each with what to do.
    conflicts: tuple[tuple[tuple[str, ...], str], ...] = ()
    #: How it is run once without a terminal: {model} is the name, {prompt} the question. Empty where it cannot.
    check: tuple[str, ...] = ()
    #: Its names in the history, one of which it has.
    clients: tuple[str, ...] = ()
    #: What the user should know, one line each.
    notes: tuple[str, ...] = ()
    #: Why nothing can be written, and what to do instead. With `possible`, that does point it here.
    obstacle: str = ""
    remedy: tuple[str, ...] = ()
    possible: bool = False


def dig(value: Any, *names: str) -> Any:
    """What tables in each other have at a path of names, None where there is nothing."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(name)
    return value


def dig_text(value: Any, *names: str) -> str:
    """As `dig`, "" for what is no text."""
    found = dig(value, *names)
    return found if isinstance(found, str) else ""


def list_entries(value: Any) -> list[dict[str, Any]]:
    """The tables in a list; none where it is no list."""
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]


def without_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table without what is None."""
    return {name: value for name, value in table.items() if value is not None}
