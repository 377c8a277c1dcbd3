"""The client key of a tool, where clients must send one: made when the tool is set up, revoked when that is undone."""

import contextlib
import shutil
import sys

from router.cli.common.running_proxy import tell_change
from router.host.own_program import find_words
from router.policy.grants.grant import TOOL_PREFIX
from router.setup.tool import Place, Tool
from router.store.home.home import Home
from router.store.home.place import find_home
from router.store.keys.client_keys import make_tool_key, read_tool_key, revoke_key

# Stands for a key that is made only when it is written. It is masked where it is shown.
_PLACEHOLDER = "flk_made-when-it-is-written"


class ToolKey:
    """The key of one tool. needed: clients must send one."""

    def __init__(self, home: Home, tool: Tool, *, needed: bool):
        self._home = home
        self._tool = tool
        self._needed = needed
        self._made = False

    def provide(self, *, make: bool) -> str:
        """The key, "" where none is needed. make: one that is not there is made. Raises CommandError."""
        if not self._needed:
            return ""
        present = read_tool_key(self._home, self._tool.name)
        if not make:
            return present.reveal() if present is not None else _PLACEHOLDER
        self._made = present is None
        return make_tool_key(self._home, self._tool.name).reveal()

    def withdraw(self) -> None:
        """Revoke the key if `provide` made it: nothing was written. Raises CommandError."""
        if self._made:
            self._made = False
            revoke_key(self._home, TOOL_PREFIX + self._tool.name)

    def tell(self) -> None:
        """Have running proxies read the key if `provide` made it: the tool may ask before they look by themselves.
        Raises CommandError."""
        if self._made:
            with contextlib.redirect_stdout(sys.stderr):
                tell_change(self._home)


def list_tool_keys(home: Home, tool: Tool) -> list[str]:
    """The keys that the tool's files may hold. Raises CommandError."""
    key = read_tool_key(home, tool.name)
    return [] if key is None else [key.reveal()]


def revoke_tool_key(home: Home, tool: Tool) -> bool:
    """Revoke the key of a tool; False when it has none. Raises CommandError."""
    return revoke_key(home, TOOL_PREFIX + tool.name)


def find_key_command(tool: Tool, place: Place) -> tuple[str, ...]:
    """The words that print the key of a tool: by the name `fairlead` where that is on PATH. The tool may not have this
    shell's variables: where one names the home, the words name it too; () where they cannot."""
    environ = place.environ
    words = ("fairlead",) if shutil.which("fairlead", path=environ.get("PATH")) else find_words()
    moved = bool(environ.get("FAIRLEAD_HOME"))
    if moved and place.system == "win32":
        return ()
    named = ("env", f"FAIRLEAD_HOME={find_home(environ)}") if moved else ()
    return (*named, *words, "keys", "print", tool.name)
