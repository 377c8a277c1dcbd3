"""`fairlead env`: the lines that point tools at the proxy. Imports no network module: shells run it at each start."""

import os
import shlex
import sys

from router.cli.common.output import build_variables, collect_login_protocols, note_problems, read_settings
from router.cli.common.parser import Parser, note
from router.settings.kinds import NO_KEY
from router.store.config import backends
from router.store.home import run_files
from router.store.home.client_key import client_key
from router.store.home.home import Home, open_home

SHELLS = ("sh", "bash", "zsh", "fish", "powershell", "cmd")


def run(argv: list[str]) -> int:
    """Print one assignment per variable, or all as JSON."""
    parser = Parser(
        "env",
        "Print the lines that point a tool at the running proxy, for a shell to evaluate.",
        examples=['eval "$(fairlead env)"', "fairlead env --shell fish | source"],
    )
    default = "powershell" if sys.platform == "win32" else "sh"
    parser.add_argument(
        "--shell", choices=SHELLS, default=default, metavar="SHELL", help=f"{', '.join(SHELLS)} (default {default})"
    )
    parser.add_argument("--json", action="store_true", help="print the variables as JSON")
    options = parser.read(argv)
    values = _collect_variables(open_home(os.environ))
    if options.json:
        import json

        print(json.dumps(values, indent=2))
        return 0
    for name, value in values.items():
        print(format_assignment(options.shell, name, value))
    return 0


def _collect_variables(home: Home) -> dict[str, str]:
    settings = read_settings(home)
    found, problems = backends.load(home)
    note_problems(problems)
    own = collect_login_protocols(found)
    key = client_key(settings, home)
    if key is not None and own:
        note("note: tools that use their own login send fairlead's key in the header x-fairlead-key.")
    live = run_files.live(home)
    url = live[0].url if live else f"http://localhost:{settings.port}"
    return build_variables(url, key.reveal() if key else NO_KEY, own)


def format_assignment(shell: str, name: str, value: str) -> str:
    """One assignment in the syntax of a shell."""
    if shell == "fish":
        # In fish only backslash and quote are special between single quotes.
        return "set -gx {} '{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'"))
    if shell == "powershell":
        return "$env:{} = '{}'".format(name, value.replace("'", "''"))
    if shell == "cmd":
        return f'set "{name}={value}"'
    return f"export {name}={shlex.quote(value)}"
