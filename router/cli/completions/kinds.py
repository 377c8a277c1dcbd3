"""The values of each kind: a function of the files at hand and of the arguments before."""

from __future__ import annotations

import os
import time

from router.cli.completions.files import as_list, as_table
from router.cli.completions.rows import Candidate, Setting
from router.cli.completions.tables.names import DEMO_MODELS, PROVIDER_MODELS, PROVIDERS, SETUP_TOOLS, TOOLS
from router.cli.completions.tables.settings import DECLARED, OF_BACKEND, OF_KEY, OF_MODEL, OF_PRICE, TABLES

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from router.cli.completions.files import Files
    from router.cli.completions.rows import Kind

_PROTOCOLS = ("messages", "chat", "responses", "gemini")


class Question:
    """What a list is made for. arguments: those without a name that stand before. typed: the beginning of the value."""

    __slots__ = ("arguments", "files", "typed")

    def __init__(self, files: Files, arguments: Sequence[str], typed: str):
        self.files = files
        self.arguments = arguments
        self.typed = typed


def list_values(kind: Kind, question: Question) -> list[Candidate]:
    """The values of a kind, some twice; '' has none."""
    if isinstance(kind, tuple):
        return [Candidate(name) for name in kind]
    found = _KINDS.get(kind)
    return [*found(question)] if found is not None else []


def takes_files(kind: Kind, question: Question) -> bool:
    """True where a file may be named, which the shell itself completes."""
    if kind == "value":
        setting = _find_setting(question.arguments)
        return setting is not None and setting.kind == "file"
    return kind in ("file", "model or file")


def _list_backends(question: Question) -> Iterable[Candidate]:
    return (Candidate(name, "backend") for name in question.files.list_backends())


def _list_new_backends(question: Question) -> Iterable[Candidate]:
    yield from (Candidate(name, f"{title}, a known provider") for name, title in PROVIDERS.items())
    yield from _list_backends(question)


def _list_logins(question: Question) -> Iterable[Candidate]:
    return (Candidate(name, "login") for name in question.files.list_logins())


def _list_new_logins(question: Question) -> Iterable[Candidate]:
    yield Candidate("openrouter", "OpenRouter, which needs nothing more")
    yield from _list_logins(question)


def _list_aliases(question: Question) -> Iterable[Candidate]:
    """The accounts of the backend that stands before."""
    backend = question.arguments[0].lower() if question.arguments else ""
    return (
        Candidate(alias, f"account of {backend}") for alias in question.files.read_backend(backend).get("accounts", [])
    )


def _list_accounts(question: Question) -> Iterable[Candidate]:
    for name in question.files.list_backends():
        for alias in question.files.read_backend(name).get("accounts", []):
            yield Candidate(f"{name}/{alias}", "account")


def _list_models(question: Question) -> Iterable[Candidate]:
    """Aliases, models that the settings name, those that were served lately, and the known ones."""
    config, configured = question.files.config, set(question.files.list_backends())
    yield from _list_model_aliases(question)
    for name, backend in question.files.list_served():
        if backend in configured:
            yield Candidate(name, f"served by {backend}")
            yield Candidate(f"{backend}:{name}", f"served by {backend}")
    for name in _list_named_models(config):
        yield Candidate(name, "in config.toml")
    for backend in sorted(configured):
        vendor = str(question.files.read_backend(backend).get("vendor", ""))
        for name in PROVIDER_MODELS.get(vendor, ()):
            yield Candidate(name, f"a model of {PROVIDERS[vendor]}")
    if config.get("demo") not in (False, "off"):
        yield from (Candidate(name, "built-in demo") for name in DEMO_MODELS)


def _list_model_aliases(question: Question) -> Iterable[Candidate]:
    for name, model in _get_table(question.files.config, "aliases").items():
        yield Candidate(name, f"alias of {model}" if isinstance(model, str) else "alias")


def _list_named_models(config: Mapping[str, Any]) -> Iterable[str]:
    named: list[object] = [config.get("model"), config.get("fast_model"), *_get_table(config, "aliases").values()]
    for chain in _get_table(config, "fallback").values():
        named += as_list(chain) or [chain]
    named += [as_table(rule).get("model") for rule in as_list(config.get("routes"))]
    named += [*_get_table(config, "prices"), *_get_table(config, "models")]
    return (name for name in named if isinstance(name, str))


def _list_requests(question: Question) -> Iterable[Candidate]:
    yield Candidate("-", "the latest request")
    now = time.time()
    for request in question.files.list_requests():
        yield Candidate(request.id, f"{_format_age(now - request.time)}  {request.model}  {request.status}")


def _format_age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now"


def _list_tags(question: Question) -> Iterable[Candidate]:
    for table in _get_table(_get_table(question.files.config, "guard"), "tags").values():
        yield from (Candidate(name, "tag with a budget") for name in as_table(table))
    yield from (Candidate(name, "tag of a request") for name in question.files.list_tags())


def _list_variables(_: Question) -> Iterable[Candidate]:
    """Names alone; their values are keys."""
    words = ("KEY", "TOKEN", "SECRET")
    return (Candidate(name, "variable") for name in sorted(os.environ) if any(word in name.upper() for word in words))


def _follow_commas(question: Question, values: Iterable[Candidate]) -> Iterable[Candidate]:
    """Each value after those that are typed already, with commas between."""
    typed = question.typed.split(",")[:-1]
    before = ",".join([*typed, ""])
    return (Candidate(before + one.value, one.about) for one in values if one.value not in typed)


def _list_client_keys(question: Question) -> Iterable[Candidate]:
    return (Candidate(name, "client key") for name in question.files.list_client_keys())


def _list_tool_keys(question: Question) -> Iterable[Candidate]:
    """The tools whose key can be printed."""
    return (Candidate(name, f"key of {SETUP_TOOLS.get(name, name)}") for name in question.files.list_tool_keys())


def _list_keys(question: Question) -> Iterable[Candidate]:
    """All keys that can be set: those of a table once its name is typed."""
    for key, setting in DECLARED.items():
        yield Candidate(key, setting.about)
    for key, table in TABLES.items():
        if not question.typed.startswith(f"{key}."):
            yield Candidate(f"{key}.", table.about)
            continue
        names = list_values(table.names, Question(question.files, (), ""))
        yield from (Candidate(f"{key}.{name.value}", name.about) for name in names)
    yield from _list_keys_by_name(question, "backends", "backend", question.files.list_backends(), OF_BACKEND)
    yield from _list_keys_by_name(question, "keys", "client key", question.files.list_client_keys(), OF_KEY)
    yield from _list_keys_by_model(question)


def _list_keys_by_name(
    question: Question, table: str, what: str, names: Iterable[str], keys: Mapping[str, Setting]
) -> Iterable[Candidate]:
    if not question.typed.startswith(f"{table}."):
        yield Candidate(f"{table}.", f"settings of one {what}")
        return
    typed = question.typed.split(".")[1]
    for name in names:
        if name != typed or question.typed.count(".") < 2:
            yield Candidate(f"{table}.{name}.", f"settings of this {what}")
        else:
            yield from (Candidate(f"{table}.{name}.{key}", entry.about) for key, entry in keys.items())


def _list_keys_by_model(question: Question) -> Iterable[Candidate]:
    for table, about, keys in (("prices", "price", OF_PRICE), ("models", "facts", OF_MODEL)):
        if not question.typed.startswith(f"{table}."):
            yield Candidate(f"{table}.", f"{about} of one model")
            continue
        names = {name.value for name in _list_models(question) if name.about != "built-in demo"}
        for name in sorted(names):
            if not question.typed.startswith(f"{table}.{name}."):
                yield Candidate(f"{table}.{name}.", f"{about} of this model")
            else:
                yield from (Candidate(f"{table}.{name}.{key}", entry.about) for key, entry in keys.items())


def _list_set_keys(question: Question) -> Iterable[Candidate]:
    """The keys that config.toml has, and its tables. Their values may be secrets and are left out."""
    return (Candidate(name, "in config.toml") for name in _flatten(question.files.config, ""))


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterable[str]:
    for key, value in table.items():
        yield prefix + key
        yield from _flatten(as_table(value), f"{prefix}{key}.")


def _list_setting_values(question: Question) -> Iterable[Candidate]:
    """The values of the setting that stands before."""
    setting = _find_setting(question.arguments)
    if setting is None or setting.kind is None:
        return
    for found in list_values(setting.kind, question):
        yield Candidate(found.value, "default" if found.value == setting.default else found.about)
    if setting.default and not isinstance(setting.kind, tuple):
        yield Candidate(setting.default, "default")


def _find_setting(arguments: Sequence[str]) -> Setting | None:
    key = arguments[0] if arguments else ""
    if key in DECLARED:
        return DECLARED[key]
    for name, table in TABLES.items():
        if key.startswith(f"{name}."):
            return Setting(table.values, "", "")
    table, _, rest = key.partition(".")
    return {"backends": OF_BACKEND, "keys": OF_KEY}.get(table, {}).get(rest.partition(".")[2])


def _get_table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return as_table(table.get(name))


_KINDS: dict[str, Callable[[Question], Iterable[Candidate]]] = {
    "backend": _list_backends,
    "new backend": _list_new_backends,
    "login": _list_logins,
    "new login": _list_new_logins,
    "alias": _list_aliases,
    "account": _list_accounts,
    "model": _list_models,
    "model or file": _list_models,
    "alias of a model": _list_model_aliases,
    "request": _list_requests,
    "tag": _list_tags,
    "variable": _list_variables,
    "protocols": lambda question: _follow_commas(question, map(Candidate, _PROTOCOLS)),
    "backends": lambda question: _follow_commas(question, _list_backends(question)),
    "models": lambda question: _follow_commas(question, _list_models(question)),
    "client key": _list_client_keys,
    "tool key": _list_tool_keys,
    "tool": lambda _: (Candidate(name, title) for name, title in TOOLS.items()),
    "tool to set up": lambda _: (Candidate(name, title) for name, title in SETUP_TOOLS.items()),
    "provider": lambda _: (Candidate(name, title) for name, title in PROVIDERS.items()),
    "key": _list_keys,
    "set key": _list_set_keys,
    "value": _list_setting_values,
}
