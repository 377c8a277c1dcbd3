"""All that routing knows, prepared once for many decisions, and what a decision is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from router.backends import Backend
from router.policy.routing import family_shortcuts
from router.policy.routing.family_shortcuts import Shortcuts
from router.policy.routing.gaps import Gap
from router.policy.routing.rules import PreparedRule, compile_glob, prepare_rule
from router.policy.routing.vendor_names import VendorNames, Vendors
from router.settings.tables import Edits, Rule

DEMO = "demo"
#: The name of fairlead's own web search among backends, in answers and records. No backend can have it: theirs hold no
#: space.
SEARCH = "web search"
CLAUDE, ANTHROPIC = "claude", "anthropic"
_DEMO_OFF = Gap(DEMO, "is off", "fairlead config set demo on")


class Route(msgspec.Struct, frozen=True):
    """Where a request goes."""

    backend: Backend
    #: The name to send upstream, None when the request names none.
    model: str | None
    #: The step that decided.
    why: str
    #: The name to send is not the caller's.
    renamed: bool = False
    #: The alias or shortcut that was used, '' for none.
    alias: str = ""
    #: The rule that applied, '' for none.
    rule: str = ""
    #: That rule sends requests there for the provider's tool that is their only one.
    for_tool: bool = False
    #: A shortcut was asked for, whose meaning hangs on the catalogs.
    floats: bool = False
    #: The rule's, if any.
    edits: Edits | None = None
    #: What of the configuration renamed the model, in words; '' for nothing, and for a prefix that was taken off.
    renamed_by: str = ""

    def note_renaming(self) -> str:
        """What the record says of a new name."""
        return f"model renamed by {self.renamed_by}" if self.renamed_by else "model renamed"

    def note_rule(self) -> list[str]:
        """What the record says of a rule that applied, unless it says so of the new name."""
        name = format_rule(self.rule)
        return [name] if self.rule and self.renamed_by != name else []


def format_rule(name: str) -> str:
    """A rule as records and warnings name it."""
    return f'rule "{name}"'


@dataclass(frozen=True)
class Table:
    """All that routing knows."""

    #: The enabled ones, in the order added, the demo last.
    backends: Sequence[Backend]
    #: Model names by backend name; a backend without an entry has not been read yet.
    catalogs: Mapping[str, Sequence[str]]
    #: Vendor name -> regular expressions of its model names.
    families: Mapping[str, Sequence[str]]
    #: The backend for models that no other step finds one for.
    default: str | None = None
    #: Name -> target, in any case.
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    routes: Sequence[Rule] = ()
    #: Forced on requests that have a model write text.
    model: str | None = None
    #: The same, for the small tier.
    fast_model: str | None = None
    #: Globs and their chains.
    fallback: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    #: The backends whose models are not known, in use or not.
    gaps: Sequence[Gap] = ()
    #: Vendor name -> regular expressions of those names in `families` that servers of others have too.
    published: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    #: The backends that list a model, by its name.
    owners: Mapping[str, tuple[Backend, ...]] = field(init=False, repr=False)
    #: What find_servers found of the models in `owners`.
    servers: dict[str, tuple[Backend, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict[str, tuple[Backend, ...]]
    )
    #: Backends by name.
    named: Mapping[str, Backend] = field(init=False, repr=False)
    #: Which names are a vendor's.
    vendor_names: VendorNames = field(init=False, repr=False)
    #: Backends by what may stand in front of a colon.
    prefixes: Mapping[str, Backend] = field(init=False, repr=False)
    #: Aliases by name in lower case.
    targets: Mapping[str, str] = field(init=False, repr=False)
    shortcuts: Shortcuts = field(init=False, repr=False)
    rules: Sequence[PreparedRule] = field(init=False, repr=False)
    #: There are aliases or forced models.
    renames: bool = field(init=False, repr=False)
    #: `fallback`, with its globs compiled.
    chains: Sequence[tuple[re.Pattern[str], Sequence[str]]] = field(init=False, repr=False)
    #: There are chains, of models or of rules.
    falls_back: bool = field(init=False, repr=False)
    #: A rule asks for RequestTraits.
    asks: bool = field(init=False, repr=False)
    #: A rule asks for what is inside a body.
    looks_inside: bool = field(init=False, repr=False)
    #: Names of catalogs by what is compared of them for suggestions; empty until it is needed.
    compared: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict[str, str])
    #: Routes that were decided by a model's name, the protocol and whether a model writes text, and by nothing else.
    decided: dict[tuple[str, str | None, bool], Route] = field(
        init=False, repr=False, compare=False, default_factory=dict[tuple[str, str | None, bool], Route]
    )

    def __post_init__(self) -> None:
        named = {backend.name: backend for backend in self.backends}
        rules = tuple(prepare_rule(rule) for rule in self.routes)
        self._set("owners", _index_owners(self.backends, self.catalogs))
        self._set("named", named)
        self._set("prefixes", _index_prefixes(self.backends, named))
        unread = {gap.backend for gap in self.gaps if gap.unread}
        self._set("vendor_names", VendorNames(self.backends, self.families, self.published, unread))
        self._set("targets", {name.lower(): target for name, target in self.aliases.items()})
        self._set("shortcuts", family_shortcuts.collect_shortcuts(self.backends, self.catalogs))
        self._set("rules", rules)
        self._set("renames", bool(self.aliases or self.model or self.fast_model))
        self._set("chains", [(compile_glob(pattern), names) for pattern, names in self.fallback.items()])
        self._set("falls_back", bool(self.fallback or any(rule.fallback for rule in self.routes)))
        self._set("asks", any(rule.asks for rule in rules))
        self._set("looks_inside", any(rule.looks_inside for rule in rules))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def lists(self, backend: Backend | None, model: str) -> bool:
        """True when this backend's catalog, or with None anyone's, has the model."""
        owners = self.owners.get(model, ())
        return bool(owners) if backend is None else any(owner is backend for owner in owners)

    def find_gap(self, name: str) -> Gap | None:
        """Why there is no backend of this name, in any case; None when it is in use, or nothing is known of it."""
        lowered = name.lower()
        if lowered in self.prefixes:
            return None
        if lowered == DEMO:
            return _DEMO_OFF
        return next((gap for gap in self.gaps if gap.backend == lowered), None)

    def find_vendor_gap(self, vendors: Vendors) -> Gap | None:
        """Why the backend of a vendor, whose name is asked for, is not in use; None when it is, or is not known."""
        if vendors.backends or not vendors.alone:
            return None
        return next((gap for gap in self.gaps if gap.unread and gap.backend == vendors.vendor), None)

    def of_family(self, model: str) -> tuple[Backend, ...]:
        """The backends whose vendor names its models so."""
        return self.vendor_names.of_family(model)

    def find_servers(self, model: str) -> tuple[Backend, ...]:
        """The backends that serve a model by its plain name since their catalog lists it: those of its vendor where
        there are any. A name that is the vendor's alone is served by no other, whatever that one lists."""
        owners = self.owners.get(model, ())
        if not owners:
            return ()
        servers = self.servers.get(model)
        if servers is None:
            vendors = self.vendor_names.find(model)
            own = tuple([one for one in owners if any(one is vendor for vendor in vendors.backends)])
            servers = self.servers[model] = own if own or vendors.alone else owners
        return servers


def _index_owners(
    backends: Sequence[Backend], catalogs: Mapping[str, Sequence[str]]
) -> Mapping[str, tuple[Backend, ...]]:
    owners: dict[str, tuple[Backend, ...]] = {}
    for backend in backends:
        for model in catalogs.get(backend.name, ()):
            owners[model] = (*owners.get(model, ()), backend)
    return owners


def _index_prefixes(backends: Sequence[Backend], named: Mapping[str, Backend]) -> Mapping[str, Backend]:
    """What may stand in front of a colon; `claude` is the Anthropic backend, unless a backend has that name."""
    anthropic = named.get(ANTHROPIC) or next((one for one in backends if one.vendor == ANTHROPIC), None)
    return {CLAUDE: anthropic, **named} if anthropic else named
