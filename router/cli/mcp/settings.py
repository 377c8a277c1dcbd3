"""The settings that hold, as `fairlead config show` lists them."""

import os

from router.cli.config.show import list_rows
from router.errors import CommandError
from router.mcp import answers, inputs
from router.settings.kinds import clean
from router.store.config import toml
from router.store.home.home import Home


def list_settings(home: Home, asked: inputs.Config) -> answers.Config:
    """The settings whose key is the one that is asked for, or begins with it. Raises CommandError."""
    rows = list_rows(toml.load(home, os.environ), toml.read(home))
    wanted = asked.key.strip().lower().rstrip(".")
    found = [row for row in rows if not wanted or row[0].lower() == wanted or row[0].lower().startswith(f"{wanted}.")]
    if not found:
        raise CommandError(f"there is no setting {clean(asked.key)}.", "Without key, all are listed.")
    rows = [answers.Setting(key=key, value=value, source=source) for key, value, source in found]
    return answers.Config(settings=rows)
