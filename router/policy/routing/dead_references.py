"""What the configuration names and nothing answers to: backends that are not in use, tools that are not known."""

from collections.abc import Iterator

from router.backends.known import KNOWN
from router.policy.routing.clients import NAMES
from router.policy.routing.table import Table, format_rule


def find_dead_references(table: Table) -> list[str]:
    """A sentence for each backend that is this proxy itself, each setting that names a backend which is not in use, and
    each rule for a client that no request can be from."""
    found = [f"The backend {gap}" for gap in table.gaps if gap.loops]
    found += [
        f"{setting} names the backend {name}, which {_describe_absence(name, table)}"
        for setting, name in _list_names(table)
        if name.lower() not in table.prefixes
    ]
    for entry in table.rules:
        client = entry.rule.when.client
        if client and client not in NAMES:
            found.append(
                f"{format_rule(entry.rule.name)} never matches: {client} is not a client fairlead recognises. "
                f"Known clients: {', '.join(NAMES)}."
            )
    return found


def _describe_absence(name: str, table: Table) -> str:
    gap = table.find_gap(name)
    return f"{gap.why}: `{gap.command}`." if gap else f"is not configured: `fairlead backend add {name}`."


def _list_names(table: Table) -> Iterator[tuple[str, str]]:
    """Each setting that names a backend, and the name."""
    if table.default is not None:
        yield "default_backend", table.default
    for setting, text in (("model", table.model), ("fast_model", table.fast_model)):
        if text:
            yield from _read_prefix(setting, text, table)
    for alias, target in table.aliases.items():
        yield from _read_prefix(f"aliases.{alias}", target, table)
    for pattern, chain in table.fallback.items():
        yield from ((f'fallback."{pattern}"', text.partition(":")[0].strip()) for text in chain)
    for entry in table.rules:
        rule, title = entry.rule, format_rule(entry.rule.name)
        if rule.backend:
            yield title, rule.backend
        elif rule.model:
            yield from _read_prefix(title, rule.model, table)
        yield from ((f"the fallback of {title}", text.partition(":")[0].strip()) for text in rule.fallback)


def _read_prefix(setting: str, text: str, table: Table) -> Iterator[tuple[str, str]]:
    """The backend in front of the colon of a model's name. Other colons belong to the model: `mistral:7b` may be
    on a list that is still to be read."""
    prefix, colon, _ = text.partition(":")
    unused = table.find_gap(prefix) is not None
    missing = prefix.lower() in KNOWN and all(backend.name in table.catalogs for backend in table.backends)
    if colon and (unused or missing) and not table.lists(None, text):
        yield setting, prefix
