"""claude-code-router's config.json as backends, rules and settings.

Its routing names a provider and a model per kind of request; the first match wins, in the order of `_SCENES`. Its
JavaScript (transformers, custom routers) has no counterpart here.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from router.backends import Account
from router.backends.known import KNOWN
from router.cli.config.import_plan import Plan, assemble_backend, make_backend_name, parse_reference
from router.errors import CommandError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_CLAUDE = "claude-*"
# Scene -> condition of a rule, in the order in which claude-code-router tries them.
_SCENES: dict[str, dict[str, Any]] = {
    "longContext": {"model": _CLAUDE},
    "background": {"model": "claude-*haiku*"},
    "image": {"model": _CLAUDE, "images": True},
    "think": {"model": _CLAUDE, "thinking": True},
    "default": {"model": _CLAUDE},
}
_NAMES = {"longContext": "long context", "background": "background", "image": "images", "think": "thinking"}
_THRESHOLD = 60000
_GEMINI = "https://generativelanguage.googleapis.com/v1beta/openai"
_LEFT = {
    "transformers": "plugins in JavaScript are not run",
    "CUSTOM_ROUTER_PATH": "a router in JavaScript is not run; write rules:   fairlead config edit",
    "StatusLine": "fairlead draws no status line",
    "NON_INTERACTIVE_MODE": "not needed",
    "CLAUDE_PATH": "fairlead does not start Claude Code",
    "LOG": "an access log has a path:   fairlead config set log_file FILE",
    "LOG_LEVEL": "see verbose:   fairlead config set verbose 1",
    "PROXY_URL": "fairlead has no such setting",
    "fallback": "fairlead has no such setting",
    "forceUseImageAgent": "fairlead has no such setting",
}


def fill_plan(plan: Plan, tree: Mapping[str, Any]) -> None:
    """Fill the plan from a config.json."""
    names: dict[str, str] = {}
    providers = tree.get("Providers", tree.get("providers"))
    for index, node in enumerate(cast("list[object]", providers) if isinstance(providers, list) else []):
        _read_provider(plan, f"Providers {index + 1}", node, names)
    router = tree.get("Router")
    if isinstance(router, dict):
        _read_router(plan, cast("dict[str, Any]", router), names)
    _read_settings(plan, tree)
    for key in tree:
        if key in _LEFT and tree[key] not in ("", None, [], {}, False):
            plan.skip(key, _LEFT[key])
        elif key not in (*_LEFT, "Providers", "providers", "Router", "PORT", "HOST", "APIKEY", "API_TIMEOUT_MS"):
            plan.skip(key, "unknown")


def _read_provider(plan: Plan, what: str, node: object, names: dict[str, str]) -> None:
    entry = cast("dict[str, Any]", node) if isinstance(node, dict) else {}
    title, url = entry.get("name"), entry.get("api_base_url")
    if not isinstance(title, str) or not isinstance(url, str):
        plan.skip(what, "it has no name or no api_base_url")
        return
    what = f"Providers {title}"
    try:
        name = make_backend_name(title)
        key = entry.get("api_key")
        accounts = (
            (Account("default", parse_reference(key, _VARIABLE)),) if isinstance(key, str) and key.strip() else ()
        )
        gemini = "generativelanguage.googleapis.com" in url and "/openai" not in url
        # Programs on this machine are recognised by their name, hosted providers by their URL only.
        local = name if name in KNOWN and not KNOWN[name].needs_key else ""
        backend = assemble_backend(name, _GEMINI if gemini else url, accounts, exact=True, program=local)
    except CommandError as error:
        plan.skip(what, str(error).rstrip("."))
        return
    if any(other.name == name for other in plan.backends):
        plan.skip(what, f"another provider is named {name} too")
        return
    taken = plan.add_backend(what, backend)
    if plan.serves(backend):
        names[title.lower()] = name
    if taken and "messages" not in backend.protocols:
        spoken = " and ".join(backend.protocols)
        plan.imported.append((f"{what} for Claude Code", f"its messages are translated to {spoken}"))
    if entry.get("models"):
        plan.skip(f"{what} models", "fairlead reads the list from the backend itself")
    _read_transformers(plan, what, name, entry.get("transformer"))


def _read_transformers(plan: Plan, what: str, name: str, node: object) -> None:
    if not isinstance(node, dict):
        return
    for model, table in cast("dict[str, Any]", node).items():
        used: object = table
        if isinstance(table, dict):
            used = cast("dict[str, Any]", table).get("use", [])
            model = f"for {model}"
        for one in cast("list[Any]", used) if isinstance(used, list) else []:
            parts: list[Any] = cast("list[Any]", one) if isinstance(one, list) else [one]
            options = cast("dict[str, Any]", parts[1]) if len(parts) > 1 and isinstance(parts[1], dict) else {}
            label = f"{what} transformer {parts[0] if parts else ''} {'' if model == 'use' else model}".strip()
            if parts and parts[0] == "maxtoken" and model == "use" and isinstance(options.get("max_tokens"), int):
                plan.add_setting(label, f"backends.{name}.max_tokens", str(options["max_tokens"]))
            else:
                plan.skip(label, "requests are relayed as they come")


def _read_router(plan: Plan, router: dict[str, Any], names: dict[str, str]) -> None:
    for scene, when in _SCENES.items():
        target = router.get(scene)
        if not isinstance(target, str) or not target.strip():
            continue
        provider, _, model = target.partition(",")
        backend = names.get(provider.strip().lower())
        if backend is None or not model.strip():
            plan.skip(f"Router.{scene}", "it names no provider of this file and a model of it, as provider,model")
            continue
        asked = dict(when)
        if scene == "longContext":
            over = router.get("longContextThreshold", _THRESHOLD)
            asked["tokens_over"] = over if isinstance(over, int) and over >= 0 else _THRESHOLD
        name = _NAMES.get(scene, scene)
        plan.add_rule(f"Router.{scene}", {"name": name, "when": asked, "backend": backend, "model": model.strip()})
    for scene, target in router.items():
        if scene == "webSearch" and target:
            plan.skip("Router.webSearch", "rules cannot ask for a web search tool")
        elif scene not in (*_SCENES, "webSearch", "longContextThreshold"):
            plan.skip(f"Router.{scene}", "unknown")


def _read_settings(plan: Plan, tree: Mapping[str, Any]) -> None:
    for theirs, key in (("PORT", "port"), ("HOST", "host"), ("APIKEY", "api_key")):
        value = tree.get(theirs)
        if isinstance(value, bool) or not isinstance(value, int | str) or str(value).strip() == "":
            continue
        variable = _VARIABLE.fullmatch(str(value).strip())
        if variable:
            ours = f"FAIRLEAD_{key.upper()}"
            plan.skip(theirs, f"it is a variable; set ${ours} where the proxy starts")
        else:
            plan.add_setting(theirs, key, str(value).strip())
    time = tree.get("API_TIMEOUT_MS")
    if isinstance(time, int | str) and re.fullmatch(r"[1-9]\d{0,11}", str(time)):
        plan.add_setting("API_TIMEOUT_MS", "timeouts.total", f"{time}ms")
    elif time is not None:
        plan.skip("API_TIMEOUT_MS", "it is not a number of milliseconds")
