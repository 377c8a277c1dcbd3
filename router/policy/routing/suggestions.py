"""The refusal of a name that nothing serves: what is configured, and which names look alike."""

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from heapq import nlargest

from router.backends import Backend
from router.backends.known import KNOWN
from router.errors import LoopDetected, RouterError, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.family_shortcuts import parse_shortcut
from router.policy.routing.gaps import Gap, describe_gaps
from router.policy.routing.table import DEMO, Table

NEAREST = 3
# difflib takes up to 40 µs a name, and a 404 must not hold up the streams of others: it judges the most promising ones.
JUDGED = 60
# Of the names in catalogs, which are an upstream's: so many are looked through, of each backend its share, and so many
# characters of each. Real names are shorter.
CANDIDATES = 4000
_COMPARED = 64
# Pairs of equal letters that may be looked at; real names have a hundred each.
_PAIRS = 20_000
_PIECE = 3


def make_refusal(text: str, gap: Gap | None, facts: RoutingFacts, table: Table) -> RouterError:
    """The error for a name that goes nowhere. text: the name after aliases. gap: of the backend that stands in front of
    its colon."""
    gap = gap or (table.find_gap(table.default) if table.default else None)
    if gap is not None and gap.loops:
        return LoopDetected(f"The model '{text}' would come back to this proxy: {gap}")
    near = _list_family(text, table) or find_nearest_models(text, table)
    return UnknownModel(_explain_unknown(facts.model or text, text, near, table, gap))


def _list_family(text: str, table: Table) -> list[str]:
    """The newest models of the family of a shortcut that stands for none: a pin may be wrong by a number."""
    wanted = parse_shortcut(text)
    versions = table.shortcuts.families.get(wanted[0], {}) if wanted else {}
    return [same[0].model for same in list(versions.values())[:NEAREST]]


def _explain_unknown(asked: str, model: str, near: Iterable[str], table: Table, gap: Gap | None) -> str:
    """Why a model is served by none. asked: the caller's name for it. near: names that may have been meant. gap: of the
    backend that it names, if that is not in use."""
    stands = f", which '{asked}' stands for" if asked != model else ""
    begin = f"No backend serves the model '{model}'{stands}"
    if gap is not None:
        return f"{begin}: {gap}"
    nearest = ", ".join(_format_near(name, table) for name in near)
    hint = f" Nearest: {nearest}." if nearest else ""
    provider = model.partition(":")[0].lower() if ":" in model else ""
    if provider in KNOWN:
        hint += f" If {provider} means the provider: `fairlead backend add {provider}`."
    return f"{begin}.{hint} {describe_configured(table)}"


def _format_near(name: str, table: Table) -> str:
    """A listed name with its backend: behind a prefix where the plain name would go to another."""
    servers = table.find_servers(name)
    return f"{name} ({servers[0].name})" if servers else f"{table.owners[name][0].name}:{name}"


def find_nearest_models(model: str, table: Table) -> list[str]:
    """Up to three catalog names that look like `model`, the closest first, capitals aside."""
    names = table.compared
    if not names:
        for name in _share_candidates(table):
            names.setdefault(name[:_COMPARED].lower(), name)
    wanted = model[:_COMPARED].lower()
    judged = _select_affordable(wanted, _select_promising(wanted, names))
    return [names[name] for name in difflib.get_close_matches(wanted, judged, n=NEAREST, cutoff=0.6)]


def _share_candidates(table: Table) -> Iterator[str]:
    """The names of all catalogs, up to the bound; a backend with many does not take the place of another's."""
    catalogs = [table.catalogs.get(backend.name, ()) for backend in table.backends]
    share = CANDIDATES // max(1, sum(map(bool, catalogs)))
    return (name for catalog in catalogs for name in catalog[:share])


def _select_affordable(wanted: str, names: Iterable[str]) -> Iterator[str]:
    """The names that difflib may judge: it looks at every pair of equal letters, of which names that repeat one have
    thousands."""
    counts = Counter(wanted)
    left = _PAIRS
    for name in names:
        left -= sum([counts[letter] for letter in name])
        if left < 0:
            return
        yield name


def _select_promising(wanted: str, names: Collection[str]) -> Collection[str]:
    """The names that share most with what is wanted, as far as three letters in a row tell."""
    if len(names) <= JUDGED:
        return names
    # Side by side: overlapping ones cost three times as much and find the same names.
    pieces = {wanted[at : at + _PIECE] for at in range(0, len(wanted), _PIECE)}
    return nlargest(JUDGED, names, key=lambda name: sum([piece in name for piece in pieces]))


def describe_configured(table: Table) -> str:
    """The backends in use, why the models of others are not known, and how to add one."""
    used = [backend for backend in table.backends if backend.name != DEMO]
    configured = f"Configured backends: {join_names(used)}." if used else ""
    if not used and not table.gaps:
        configured = "No backend is configured."
    parts = [configured, describe_gaps(table.gaps), "Add one: `fairlead backend add NAME`."]
    if not used and len(table.backends) > len(used):
        parts.append("To try a tool without a backend, ask for the model demo.")
    return " ".join(part for part in parts if part)


def join_names(backends: Iterable[Backend]) -> str:
    """Their names in a row."""
    return ", ".join(backend.name for backend in backends)
