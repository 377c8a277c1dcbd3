"""Settings that name a backend which is configured and not in use."""

from collections.abc import Iterator

from router.policy.routing.table import Table, format_rule


def find_dead_references(table: Table) -> list[str]:
    """A sentence for each backend that is this proxy itself, and each setting that names a backend which is disabled,
    could not be read or is off. Those that do not exist are told when the settings are read
    (store/config/references.py), with the place in the file."""
    found = [f"The backend {gap}" for gap in table.gaps if gap.loops]
    for setting, name in _list_names(table):
        gap = table.find_gap(name)
        if gap is not None and name.lower() not in table.prefixes:
            found.append(f"{setting} names the backend {name}, which {gap.why}: `{gap.command}`.")
    return found


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
    """The backend in front of the colon of a model's name, which may belong to the name: `mistral:7b`."""
    prefix, colon, _ = text.partition(":")
    if colon and not table.lists(None, text):
        yield setting, prefix
