"""All that routing knows, made ready once for many decisions, and what a decision is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from router.backends import Backend
from router.policy.routing import family_shortcuts
from router.policy.routing.family_shortcuts import Shortcuts
from router.policy.routing.rules import Ready, glob, ready
from router.settings.tables import Edits, Rule

DEMO = "demo"
CLAUDE, ANTHROPIC = "claude", "anthropic"


class Route(msgspec.Struct, frozen=True):
    """A decision. model: the name to send upstream, None when the request names none. why: the step that decided.

    renamed: that name is not the caller's. alias: the alias or shortcut that was used, rule: the rule that applied,
    '' for none. floats: a shortcut was asked for, whose meaning hangs on the catalogs. edits: the rule's, if any.
    """

    backend: Backend
    model: str | None
    why: str
    renamed: bool = False
    alias: str = ""
    rule: str = ""
    floats: bool = False
    edits: Edits | None = None


@dataclass(frozen=True)
class Table:
    """All that routing knows. backends: the enabled ones, in the order added, the demo last.

    catalogs: model names by backend name; a backend without an entry has not been read yet.
    families: vendor name -> regular expressions of its model names. aliases: name -> target, in any case.
    model, fast_model: forced ones. targets: aliases by name in lower case. renames: there are aliases or forced ones.
    fallback: globs and their chains, chains: the same made ready; falls_back: there are any.
    asks: a rule asks for RequestTraits, looks_inside: for what is inside a body. decided: routes that were decided by a
    model's name, the protocol and whether a model writes text, and by nothing else.
    """

    backends: Sequence[Backend]
    catalogs: Mapping[str, Sequence[str]]
    families: Mapping[str, Sequence[str]]
    default: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    routes: Sequence[Rule] = ()
    model: str | None = None
    fast_model: str | None = None
    fallback: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    owners: Mapping[str, tuple[Backend, ...]] = field(init=False, repr=False)
    named: Mapping[str, Backend] = field(init=False, repr=False)
    prefixes: Mapping[str, Backend] = field(init=False, repr=False)
    patterns: Sequence[tuple[re.Pattern[str], Backend]] = field(init=False, repr=False)
    targets: Mapping[str, str] = field(init=False, repr=False)
    shortcuts: Shortcuts = field(init=False, repr=False)
    rules: Sequence[Ready] = field(init=False, repr=False)
    renames: bool = field(init=False, repr=False)
    chains: Sequence[tuple[re.Pattern[str], Sequence[str]]] = field(init=False, repr=False)
    falls_back: bool = field(init=False, repr=False)
    asks: bool = field(init=False, repr=False)
    looks_inside: bool = field(init=False, repr=False)
    decided: dict[tuple[str, str | None, bool], Route] = field(
        init=False, repr=False, compare=False, default_factory=dict[tuple[str, str | None, bool], Route]
    )

    def __post_init__(self) -> None:
        named = {backend.name: backend for backend in self.backends}
        rules = tuple(ready(rule) for rule in self.routes)
        self._set("owners", _owners(self.backends, self.catalogs))
        self._set("named", named)
        self._set("prefixes", _prefixes(self.backends, named))
        self._set("patterns", _patterns(self.backends, self.families))
        self._set("targets", {name.lower(): target for name, target in self.aliases.items()})
        self._set("shortcuts", family_shortcuts.shortcuts(self.backends, self.catalogs))
        self._set("rules", rules)
        self._set("renames", bool(self.aliases or self.model or self.fast_model))
        self._set("chains", [(glob(pattern), names) for pattern, names in self.fallback.items()])
        self._set("falls_back", bool(self.fallback or any(rule.fallback for rule in self.routes)))
        self._set("asks", any(rule.asks for rule in rules))
        self._set("looks_inside", any(rule.looks_inside for rule in rules))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def lists(self, backend: Backend | None, model: str) -> bool:
        """True when this backend's catalog, or with None anyone's, has the model."""
        owners = self.owners.get(model, ())
        return bool(owners) if backend is None else any(owner is backend for owner in owners)

    def of_family(self, model: str) -> tuple[Backend, ...]:
        """The backends whose vendor names its models so."""
        return tuple([backend for pattern, backend in self.patterns if pattern.fullmatch(model)])


def _owners(backends: Sequence[Backend], catalogs: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[Backend, ...]]:
    owners: dict[str, tuple[Backend, ...]] = {}
    for backend in backends:
        for model in catalogs.get(backend.name, ()):
            owners[model] = (*owners.get(model, ()), backend)
    return owners


def _prefixes(backends: Sequence[Backend], named: Mapping[str, Backend]) -> Mapping[str, Backend]:
    """What may stand in front of a colon; `claude` is the Anthropic backend, unless a backend has that name."""
    anthropic = named.get(ANTHROPIC) or next((one for one in backends if one.vendor == ANTHROPIC), None)
    return {CLAUDE: anthropic, **named} if anthropic else named


def _patterns(
    backends: Sequence[Backend], families: Mapping[str, Sequence[str]]
) -> Sequence[tuple[re.Pattern[str], Backend]]:
    return [(re.compile(pattern), backend) for backend in backends for pattern in families.get(backend.vendor, ())]
