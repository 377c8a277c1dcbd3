"""The variables in the roots of known providers: filled in, checked, and found again in a URL. No I/O."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from router.backends import Known, Variable

_NAME = re.compile(r"\{(\w+)\}")


class Roots(NamedTuple):
    """The roots of one backend."""

    #: For all protocols that have none of their own.
    root: str
    #: Protocol -> root, where that is another.
    by_protocol: Mapping[str, str]


class WrongVariable(ValueError):
    """A variable of a provider's roots that is missing or has not its form."""

    def __init__(self, entry: Known, name: str, *, missing: bool):
        one = entry.variables[name]
        problem = "is missing" if missing else "does not have its form"
        super().__init__(f"{name} {problem}; expected the {one.about}, such as {one.example}")
        self.name = name
        self.variable: Variable = one
        self.missing = missing


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with the values of its variables; '' for one without a value."""
    return _NAME.sub(lambda found: values.get(found[1], ""), template)


def check_variable(entry: Known, name: str, value: str) -> str:
    """The value of a variable without what surrounds it. Raises WrongVariable."""
    one = entry.variables[name]
    value = value.strip()
    if one.is_host:
        value = value.removeprefix("https://").rstrip("/").lower()
    if not re.fullmatch(one.pattern, value):
        raise WrongVariable(entry, name, missing=not value)
    return value


def read_variables(entry: Known, given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of a provider's variables: those given, else those of the environment. Raises WrongVariable."""
    found: dict[str, str] = {}
    for name, one in entry.variables.items():
        told = (environ[variable] for variable in one.environment if environ.get(variable, "").strip())
        found[name] = check_variable(entry, name, given.get(name) or next(told, ""))
    return found


def fill_roots(entry: Known, values: Mapping[str, str], place: str = "") -> Roots:
    """The roots of a provider for the values of its variables. place: scheme, host and port in place of the provider's
    own, as those of a private endpoint; '' for the provider's."""
    everything = {"host": _choose_host(entry, values), **values}

    def make(template: str) -> str:
        root = fill(template, everything)
        return place + urlsplit(root).path if place else root

    root = make(entry.root)
    others = {name: make(one.root) for name, one in entry.endpoints.items() if one.root}
    return Roots(root, {name: other for name, other in others.items() if other != root})


def _choose_host(entry: Known, values: Mapping[str, str]) -> str:
    """The host of a provider that has several, '' for others."""
    deciding = values.get(entry.host_variable, "")
    return next((fill(host, values) for pattern, host in entry.hosts if re.fullmatch(pattern, deciding)), "")


def match_root(entry: Known, root: str) -> dict[str, str] | None:
    """The values of the variables in one of a provider's roots, {} for a root without any; None for another URL."""
    if not entry.variables:
        return {} if root in _list_templates(entry) else None
    for expression in _compile(entry):
        found = expression.fullmatch(root)
        if found is not None and _choose_host(entry, found.groupdict()) in ("", urlsplit(root).hostname):
            return found.groupdict()
    return None


def complete_root(entry: Known, url: str) -> str:
    """The root that a URL means which lacks the last part of it, or all behind the host; '' where it is none of a
    provider's. Raises ValueError for one on a host of the provider that is not for it."""
    host, path = urlsplit(url).hostname or "", urlsplit(url).path
    ends = [urlsplit(template).path for template in _list_templates(entry)] if not path else ["/v1"]
    whole = next((url + end for end in ("", *ends) if match_root(entry, url + end) is not None), "")
    if whole or not is_host_of(entry, host):
        return whole
    if not url.startswith("https://"):
        raise ValueError(f"it is {entry.title}, which is reached by https:// alone")
    for template in _list_templates(entry):
        values = re.fullmatch(_express(entry, urlsplit(template).path), path)
        deciding = values.groupdict().get(entry.host_variable) if values is not None else None
        if values is not None and deciding is not None:
            expected = _choose_host(entry, values.groupdict())
            raise ValueError(f"it is on {host}, and the {entry.host_variable} {deciding} on {expected}")
    return ""


def is_host_of(entry: Known, host: str) -> bool:
    """True for a host on which roots with variables of this provider stand."""
    return any(re.fullmatch(one, host) for one in _compile_hosts(entry))


def _list_templates(entry: Known) -> tuple[str, ...]:
    return (entry.root, *(one.root for one in entry.endpoints.values() if one.root), *entry.other_roots)


def _iter_templates(entry: Known) -> Iterator[str]:
    """The templates of the roots, with those of all hosts in them."""
    for template in _list_templates(entry):
        for _, host in entry.hosts or (("", "{host}"),):
            yield template.replace("{host}", host)


@lru_cache
def _compile(entry: Known) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_express(entry, template)) for template in dict.fromkeys(_iter_templates(entry)))


@lru_cache
def _compile_hosts(entry: Known) -> tuple[str, ...]:
    hosts = (urlsplit(template).netloc for template in _iter_templates(entry) if "{" in template)
    return tuple(_express(entry, host) for host in dict.fromkeys(hosts))


def _express(entry: Known, template: str) -> str:
    """The regular expression of a template: a group for each variable, which has the same value everywhere."""
    seen: set[str] = set()

    def make(name: str) -> str:
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{entry.variables[name].pattern})"

    pieces = re.split(r"\{(\w+)\}", template)
    return "".join(make(piece) if number % 2 else re.escape(piece) for number, piece in enumerate(pieces))
