"""Every setting, declared once: key, environment variable, flag, default, kind and help come from one line.

`kinds` reads values, `tables` and `declared` declare the settings, `reading` merges the four sources: default < config
file < environment < flag. No module here reads or writes a file: `store.config` does.
"""

from router.settings.declared import DECLARATIONS, Declaration, Settings
from router.settings.kinds import Frozen, Secret, parse_duration, parse_switch
from router.settings.proxies import ProxyAddress
from router.settings.reading import ConfigFile, Loaded, Source, load, resolve
from router.settings.shown import format_default, format_value

__all__ = [
    "DECLARATIONS",
    "ConfigFile",
    "Declaration",
    "Frozen",
    "Loaded",
    "ProxyAddress",
    "Secret",
    "Settings",
    "Source",
    "format_default",
    "format_value",
    "load",
    "parse_duration",
    "parse_switch",
    "resolve",
]
