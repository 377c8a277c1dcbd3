"""Which names are a vendor's: where a backend of that vendor is configured, no other is asked for them.

A catalog is the claim of its server. Were it believed before the vendor, any server that lists `claude-opus-99` would
be `opus` for everybody, and get every prompt for a new model until the vendor lists that. Another backend serves such
a name by prefix, alias, rule or fallback, which are the user's own words, or when the vendor has no backend here; one
that is disabled is none, one whose file cannot be read is meant to serve.

Names of models whose weights the vendor has published (`gpt-oss:20b`) are those of many servers: a catalog that lists
one is believed, unless the vendor's lists it too. So is a name with a `:` or `/`, which vendors do not have themselves.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from router.backends import Backend
from router.policy.routing.family_shortcuts import EXAMPLES, parse_shortcut, strip_long


class Vendors(NamedTuple):
    """The backends of the vendor whose name something is."""

    backends: tuple[Backend, ...] = ()
    #: No other backend is asked for the name.
    alone: bool = False
    #: The vendor's name, '' for none.
    vendor: str = ""


_NOBODY = Vendors()
#: How many names' owners are kept: callers choose names, and tools ask for the same few.
_FOUND_LIMIT = 1_000


class VendorNames:
    """The names of vendors that have a backend. families: vendor -> regular expressions of its names. published: those
    that servers of others have too. unread: names of backends whose file cannot be read."""

    def __init__(
        self,
        backends: Sequence[Backend],
        families: Mapping[str, Sequence[str]],
        published: Mapping[str, Sequence[str]],
        unread: Collection[str],
    ):
        present = {backend.vendor for backend in backends} | {name for name in unread if name in families}
        self._backends = tuple(backend for backend in backends if families.get(backend.vendor))
        #: Expression of a vendor's names -> the vendor.
        self._patterns = [(re.compile(_join(families[name])), name) for name in families if name in present]
        self._published = {name: re.compile(_join(published[name])) for name in published if name in present}
        self._found: dict[str, Vendors] = {}

    def of_family(self, model: str) -> tuple[Backend, ...]:
        """The backends whose vendor names its models so."""
        vendor = self._find_vendor(model)
        return tuple([one for one in self._backends if one.vendor == vendor]) if vendor is not None else ()

    def find(self, name: str) -> Vendors:
        """Whose a name is: that of a model, or a shortcut such as `opus`, each with `[1m]` or without."""
        vendors = self._found.get(name)
        if vendors is None:
            if len(self._found) >= _FOUND_LIMIT:
                self._found.clear()
            vendors = self._found[name] = self._find_anew(name)
        return vendors

    def _find_anew(self, name: str) -> Vendors:
        bare = strip_long(name)
        wanted = parse_shortcut(bare)
        model = EXAMPLES[wanted[0]] if wanted is not None else bare
        vendor = self._find_vendor(model)
        if vendor is None:
            return _NOBODY
        published = self._published.get(vendor)
        shared = ":" in model or "/" in model or (published is not None and published.fullmatch(model) is not None)
        return Vendors(self.of_family(model), not shared, vendor)

    def _find_vendor(self, model: str) -> str | None:
        return next((name for pattern, name in self._patterns if pattern.fullmatch(model)), None)


def _join(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns) or "(?!)"
