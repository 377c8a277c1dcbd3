"""`fairlead keys list`: the client keys, what each may use, and what it has used."""

import os
import time
from typing import Any

import msgspec

from router.cli.common.layout import NONE, find_width, format_table, note, print_json, say
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser
from router.errors import CommandError
from router.operator_api.keys import describe_key, describe_limits, describe_shared_key
from router.settings.kinds import clean
from router.settings.tables import KeyOptions
from router.store.home.home import Home, open_home
from router.store.keys import client_keys, shared_copy
from router.store.shared.key_books import KeyUse, read_uses
from router.watch import amounts


def run(argv: list[str]) -> int:
    """Show the keys; exit code 1 when one could not be read."""
    parser = Parser(
        "keys list",
        "Show the client keys: what each may use, what the history has of it, and the last day on which it is valid. "
        "Of a secret only the last characters are known.",
        examples=["fairlead keys list", "fairlead keys list --json"],
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    settings, loaded = read_settings(home), client_keys.load(home)
    uses = _read_uses(home)
    none, now = KeyOptions(), time.time()
    limits = {name: settings.keys.get(name, none) for name in loaded.found}
    listed = [describe_key(name, key, limits[name], uses.get(name), now) for name, key in loaded.found.items()]
    for name, row in shared_copy.read_team(home, settings).list_elsewhere().items():
        if name not in limits:
            limits[name] = row.options
            listed.append(describe_shared_key(name, row, uses.get(name), now))
    if options.json:
        shown: list[dict[str, Any]] = [msgspec.to_builtins(one) for one in listed]
        print_json({"keys": shown, "problems": list(loaded.problems)})
    elif not listed:
        say("There are no client keys. Make one:   fairlead keys add NAME")
    else:
        rows = [
            (
                one.name,
                f"flk_…{clean(one.last4)}",
                describe_limits(limits[one.name]) or NONE,
                one.expires or NONE,
                f"{one.requests:,}",
                amounts.format_money(one.cost_usd) if one.requests else NONE,
                NONE if one.last_used is None else time.strftime("%Y-%m-%d", time.localtime(one.last_used)),
            )
            for one in listed
        ]
        header = ("key", "ends in", "may use", "valid to", "requests", "cost", "last used")
        print("\n".join(format_table(rows, header=header, right={4, 5}, width=find_width())))
        if any(one.elsewhere for one in listed):
            names = ", ".join(clean(one.name) for one in listed if one.elsewhere)
            note(f"At other homes of the team: {names}. Requests and cost are those of this home alone.")
    for problem in loaded.problems:
        note(f"problem: {problem}")
    return 1 if loaded.problems else 0


def _read_uses(home: Home) -> dict[str, KeyUse]:
    from router.store.history.reader import open_reader

    try:
        with open_reader(home) as db:
            return {} if db is None else read_uses(db)
    except CommandError as error:
        note(f"note: {error}")
        return {}
