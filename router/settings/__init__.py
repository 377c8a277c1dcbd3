"""Every setting, declared once: key, environment variable, flag, default, type and help come from one line.

Precedence: default < environment < flag. A bad value is an error that names where it stands and what was expected,
never silently a default.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from router.errors import CommandError
from router.settings.tables import BackendOptions, Rule


class Secret:
    """A key or token. Its text form is `set`, so that it cannot reach a log or an error by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str):
        self._text = text

    def reveal(self) -> str:
        """The secret itself; call it only where it goes on the wire or to disk."""
        return self._text

    def __str__(self) -> str:
        return "set"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds from a positive number with a unit (ms, s, m, h); a bare number is seconds. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?\s*", text)
    if match is None or float(match[1]) <= 0:
        raise ValueError("a number with a unit, such as 120s or 2m")
    return float(match[1]) * _UNITS[match[2] or ""]


def switch(text: str) -> bool:
    """True or False from on/off, true/false, yes/no, 1/0. Raises ValueError."""
    value = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
    try:
        return value[text.strip().lower()]
    except KeyError:
        raise ValueError("on or off") from None


def _port(text: str) -> int:
    if not text.strip().isdecimal() or int(text) > 65535:
        raise ValueError("a port number from 0 to 65535 (0 takes a free one)")
    return int(text)


def _level(text: str) -> int:
    if text.strip() not in ("0", "1", "2"):
        raise ValueError("0, 1 or 2")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not empty")
    return text.strip()


def _secret(text: str) -> Secret:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("printable characters without spaces")
    return Secret(text)


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.strip().lower() not in names:
            raise ValueError(" or ".join(names))
        return text.strip().lower()

    return parse


@dataclass(frozen=True, slots=True)
class Declaration:
    """How one setting is named and read. key: as in configuration; flag: on the command line, '' if it has none."""

    key: str
    parse: Callable[[str], Any]
    metavar: str
    help: str
    secret: bool

    @property
    def env(self) -> str:
        """The environment variable of this setting."""
        return "FAIRLEAD_" + self.key.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The command-line flag; secrets have none, since arguments are readable by other processes."""
        return "" if self.secret else "--" + self.key.replace(".", "-").replace("_", "-")

    @property
    def attribute(self) -> str:
        """The field of Settings that holds the value."""
        return self.key.replace(".", "_")


def _declare(
    key: str, parse: Callable[[str], Any], default: Any, metavar: str, about: str, *, secret: bool = False
) -> Any:
    return field(default=default, metadata={"declaration": Declaration(key, parse, metavar, about, secret)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one proxy; all times are seconds."""

    host: str = _declare(
        "host", _text, "localhost", "HOST", "address to listen on; localhost means both loopback families"
    )
    port: int = _declare("port", _port, 3456, "PORT", "port to listen on; 0 takes a free one")
    api_key: Secret | None = _declare(
        "api_key", _secret, None, "KEY", "key that clients must send; needed off loopback", secret=True
    )
    require_key: str = _declare(
        "require_key",
        _choice("auto", "on", "off"),
        "auto",
        "auto|on|off",
        "ask clients for the key; auto: off loopback, in a container, or when the machine has another login user",
    )
    allowed_hosts: tuple[str, ...] = _declare(
        "allowed_hosts", _names, (), "NAMES", "further Host names to accept, separated by commas"
    )
    cors_origin: tuple[str, ...] = _declare(
        "cors_origin", _names, (), "ORIGINS", "browser origins to accept, separated by commas"
    )
    default_backend: str | None = _declare(
        "default_backend", _text, None, "NAME", "backend that gets the models no backend is known to serve"
    )
    model: str | None = _declare("model", _text, None, "MODEL", "model that all generation requests get")
    fast_model: str | None = _declare(
        "fast_model", _text, None, "MODEL", "model that requests for a haiku- or mini-tier model get"
    )
    usage_probe: bool = _declare("usage_probe", switch, True, "on|off", "ask Chat streams for usage where they must be")
    ask_identity: bool = _declare(
        "ask_identity", switch, True, "on|off", "ask upstreams for answers that are not compressed"
    )
    strip_attribution: bool = _declare(
        "strip_attribution", switch, True, "on|off", "keep Claude Code's billing line from other vendors"
    )
    timeouts_connect: float = _declare("timeouts.connect", duration, 10.0, "TIME", "limit to reach an upstream")
    timeouts_first_byte: float | None = _declare(
        "timeouts.first_byte",
        duration,
        None,
        "TIME",
        "limit for an upstream's response head on streams (default 300s, 600s on private addresses)",
    )
    timeouts_idle: float | None = _declare(
        "timeouts.idle",
        duration,
        None,
        "TIME",
        "limit between two reads of a stream (default 300s, 600s on private addresses)",
    )
    timeouts_total: float = _declare("timeouts.total", duration, 1800.0, "TIME", "limit for a whole request")
    passthrough: str = _declare(
        "passthrough",
        _choice("api", "all"),
        "api",
        "api|all",
        "all also forwards organisation, admin, key and billing paths, and DELETE",
    )
    log_file: str | None = _declare("log_file", _text, None, "FILE", "append an access log (JSON, one line a request)")
    verbose: int = _declare("verbose", _level, 0, "0|1|2", "1 prints a line per request, 2 redacted bodies too")
    demo: bool = _declare("demo", switch, True, "on|off", "offer the built-in demo models")
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    routes: tuple[Rule, ...] = ()
    backends: Mapping[str, BackendOptions] = field(default_factory=dict[str, BackendOptions])


DECLARATIONS: tuple[Declaration, ...] = tuple(
    entry.metadata["declaration"] for entry in fields(Settings) if "declaration" in entry.metadata
)


def load(environ: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    """Settings from the environment and from flags (attribute -> text). Raises CommandError for a bad value."""
    values: dict[str, Any] = {}
    for entry in DECLARATIONS:
        for where, text in ((f"${entry.env}", environ.get(entry.env)), (entry.flag, flags.get(entry.attribute))):
            if text is not None:
                values[entry.attribute] = _parsed(entry, where, text)
    return Settings(**values)


def _parsed(entry: Declaration, where: str, text: str) -> Any:
    try:
        return entry.parse(text)
    except ValueError as problem:
        shown = "set" if entry.secret else f'"{text}"'
        raise CommandError(f"{where} is {shown}; expected {problem}.") from None


def default_text(entry: Declaration) -> str:
    """The default as help shows it; '' when there is none."""
    default = next(f.default for f in fields(Settings) if f.name == entry.attribute)
    if default is MISSING or default is None or default == ():
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, float):
        return f"{default:g}s"
    return str(default)
