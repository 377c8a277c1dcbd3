"""The place of the home. Imports nothing that takes time: a shell asks for it at each TAB."""

from __future__ import annotations

import os

from router.errors import CommandError

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Mapping


def find_home(environ: Mapping[str, str]) -> str:
    """The absolute path of the home that FAIRLEAD_HOME names, else that of ~/.fairlead. Raises CommandError."""
    named = environ.get("FAIRLEAD_HOME", "")
    if named:
        path = os.path.expanduser(named)
        # A relative one would be another home in every working directory.
        if not os.path.isabs(path):
            raise CommandError(f'$FAIRLEAD_HOME is "{named}"; expected an absolute path.')
        return path
    own = os.path.expanduser("~")
    if not os.path.isabs(own):
        raise CommandError("this user has no home folder.", "Name one:   FAIRLEAD_HOME=/absolute/path fairlead …")
    return os.path.join(own, ".fairlead")


#: Names the folder of a configuration that is only read: config.toml and backends.
CONFIG_DIR = "FAIRLEAD_CONFIG_DIR"


def find_config_dir(environ: Mapping[str, str]) -> str:
    """The absolute path of the folder that FAIRLEAD_CONFIG_DIR names; '' where the configuration is in the home. Raises
    CommandError."""
    named = environ.get(CONFIG_DIR, "")
    if not named:
        return ""
    path = os.path.expanduser(named)
    if not os.path.isabs(path):
        raise CommandError(f'the configuration folder is "{named}"; expected an absolute path.')
    return path
