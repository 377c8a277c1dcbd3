"""Config files of tools: where one would lead a tool elsewhere, what is put over it for one run. No file of the user is
changed; what a tool needs in a file is a private one, which ends with the run."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from router.backends import ANTHROPIC, OPENAI, Api, speaks_api
from router.cli.run.plan import Plan
from router.errors import CommandError, UsageError
from router.net.loopback import LOCALHOST
from router.settings.kinds import NO_KEY
from router.setup.formats.document import InvalidDocument, make_invalid_error
from router.setup.formats.json_edit import JSONC
from router.store.home.permissions import FILE_LIMIT

#: Characters of the configuration that opencode gets in a variable: a system bounds these.
_CONTENT_LIMIT = 24_000
_CLAUDE_MANAGED = {
    "darwin": "/Library/Application Support/ClaudeCode/managed-settings.json",
    "win32": "C:\\Program Files\\ClaudeCode\\managed-settings.json",
}


def override_claude_settings(plan: Plan) -> None:
    """Claude Code takes variables from the `env` of its settings before those it is started with; a file that is named
    on the command line comes before the user's and the project's."""
    managed = _CLAUDE_MANAGED.get(sys.platform, "/etc/claude-code/managed-settings.json")
    forced = _read_env(managed).get("ANTHROPIC_BASE_URL")
    if forced is not None and not _leads_here(str(forced), plan):
        raise CommandError(
            f"{managed}, which the administrator of this machine manages, has Claude Code use another URL.",
            "Nothing that fairlead sets comes before it: ask the administrator.",
        )
    folder = plan.find_folder(".claude", "CLAUDE_CONFIG_DIR")
    places = [os.path.join(folder, "settings.json"), *(f".claude/settings{name}.json" for name in ("", ".local"))]
    known = {name for place in places for name in _read_env(place)}
    overridden = {name: value or "" for name, value in plan.changes.items() if name in known}
    if not overridden:
        return
    if plan.leads_itself:
        plan.notes.append(f"its settings set {_join(sorted(overridden))}, and so may your --settings.")
        return
    plan.files["settings.json"] = json.dumps({"env": overridden}).encode()
    plan.insert("--settings", plan.file_word("settings.json"))


def add_opencode_config(plan: Plan) -> None:
    """A base URL in opencode's files comes before variables, and this one variable before the files."""
    name = "OPENCODE_CONFIG_CONTENT"
    own = _parse(plan.environ.get(name, ""), f"${name}")
    url = f"{plan.target.url}/v1"
    key = plan.target.key.reveal() if plan.target.key is not None else NO_KEY
    providers = _table(own, "provider")
    apis: Sequence[tuple[str, Api]] = (("anthropic", ANTHROPIC), ("openai", OPENAI))
    for provider, api in apis:
        options = _table(_table(providers, provider), "options")
        options["baseURL"] = url
        if not speaks_api(plan.target.own, api):
            options["apiKey"] = key
    listed: dict[str, object] = {}
    providers["fairlead"] = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "fairlead",
        "options": {"baseURL": url, "apiKey": key},
        "models": listed,
    }
    for model in dict.fromkeys([*filter(None, (plan.model,)), *plan.models]):
        listed[model] = {}
        if len(json.dumps(own)) > _CONTENT_LIMIT and model != plan.model:
            del listed[model]
            break
    if plan.model:
        own["model"] = f"fairlead/{plan.model}"
    plan.changes[name] = json.dumps(own)


def add_continue_config(plan: Plan) -> None:
    """Continue reads no variable for its URL: it gets the user's own file with one model more."""
    if plan.leads_itself:
        return
    import yaml

    path = os.path.join(plan.find_folder(".continue", "CONTINUE_GLOBAL_DIR"), "config.yaml")
    text = _read(path)
    try:
        found: object = yaml.safe_load(text) if text else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise CommandError(f"{path}{where}: it is not valid YAML.", "Mend it there, then run this again.") from None
    except yaml.YAMLError:
        raise CommandError(f"{path} is not valid YAML.", "Mend it there, then run this again.") from None
    own: dict[str, Any] = {"name": "run", "version": "1", "schema": "v1"}
    if isinstance(found, dict):
        own = cast("dict[str, Any]", found)
    others = own.get("models")
    key = plan.target.key.reveal() if plan.target.key is not None else NO_KEY
    model = {
        "name": "fairlead",
        "provider": "openai",
        "model": plan.model,
        "apiBase": f"{plan.target.url}/v1",
        "apiKey": key,
        "roles": ["chat", "edit", "apply"],
        "capabilities": ["tool_use"],
    }
    own["models"] = [model, *(cast("list[object]", others) if isinstance(others, list) else [])]
    plan.files["config.yaml"] = yaml.safe_dump(own, sort_keys=False).encode()  # pyright: ignore[reportUnknownMemberType]
    plan.insert("--config", plan.file_word("config.yaml"))


def check_qwen_settings(plan: Plan) -> None:
    """The providers of Qwen Code's settings come before variables and arguments."""
    names = (os.path.join(plan.find_folder(".qwen", "QWEN_HOME"), "settings.json"), ".qwen/settings.json")
    for path in names:
        settings = _parse(_read(path), path)
        providers = settings.get("modelProviders")
        told = json.dumps(providers) if providers else ""
        if told and not _leads_here(told, plan):
            plan.notes.append(f"{path} has modelProviders, which come before what is set here.")
            plan.notes.append(f"Point them here:   {_name_setup('qwen')}")
        if not plan.model_given and _table(settings, "model").get("name"):
            plan.changes.pop("OPENAI_MODEL", None)


def check_pi_models(plan: Plan) -> None:
    """pi takes URLs from its own file only. Raises UsageError unless that leads here."""
    path = os.path.join(plan.find_folder(".pi/agent", "PI_CODING_AGENT_DIR"), "models.json")
    _check_leads_here("pi", path, plan)


def check_cline_providers(plan: Plan) -> None:
    """Cline takes URLs from its own file only. Raises UsageError unless that leads here."""
    path = os.path.join(plan.find_folder(".cline/data", "CLINE_DATA_DIR"), "settings", "providers.json")
    _check_leads_here("cline", path, plan)


def make_refusal(tool: str, obstacle: str, remedy: Sequence[str]) -> UsageError:
    """The error for a tool that a variable, an argument or a private file cannot lead to the proxy."""
    from router.cli import COMMANDS

    hint = f"Its own settings can point here:   {_name_setup(tool)}" if "setup" in COMMANDS else "\n".join(remedy)
    return UsageError(obstacle, hint)


def _name_setup(tool: str) -> str:
    from router.cli import COMMANDS

    return f"fairlead setup {tool}" if "setup" in COMMANDS else f"fairlead env --tool {tool}"


def _check_leads_here(tool: str, path: str, plan: Plan) -> None:
    from router.cli.env.tools import BY_NAME
    from router.cli.env.variables import fill

    if not _leads_here(_read(path), plan):
        about = BY_NAME[tool]
        shown = plan.target._replace(key=None)
        raise make_refusal(tool, about.obstacle, [fill(line, shown) for line in about.remedy])


def _leads_here(text: str, plan: Plan) -> bool:
    """True where a text names the proxy's URL, by any name of this machine."""
    scheme, _, place = plan.target.url.partition("://")
    port = place.rpartition(":")[2]
    hosts = ("localhost", *(f"[{one}]" if ":" in one else one for one in LOCALHOST))
    ours = {plan.target.url, *(f"{scheme}://{host}:{port}" for host in hosts)}
    return any(text.find(url + end) >= 0 for url in ours for end in ('"', "/", "'")) or text in ours


def _read_env(path: str) -> Mapping[str, object]:
    """The `env` of one of Claude Code's settings files; empty where that drops the file as not valid."""
    try:
        found = json.loads(_read(path) or "{}")
    except ValueError:
        return {}
    return _table(cast("object", found), "env") if isinstance(found, dict) else {}


def _read(path: str) -> str:
    """The text of a file; "" where there is none, or none that can be read."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return file.read(FILE_LIMIT)
    except OSError:
        return ""


def _parse(text: str, where: str) -> dict[str, Any]:
    """An object of JSON with comments; an empty one for a text without a value. Raises CommandError."""
    try:
        found: object = JSONC.parse(text.removeprefix("\ufeff"))
    except InvalidDocument as error:
        raise make_invalid_error(where, JSONC.title, error) from None
    if not isinstance(found, dict | None):
        raise CommandError(f"{where} is not valid: it is no object.", "Mend it there, then run this again.")
    return cast("dict[str, Any]", found or {})


def _table(inside: object, name: str) -> dict[str, Any]:
    """The object of that name, which is made where there is none."""
    table = cast("dict[str, Any]", inside)
    found = table.get(name)
    if not isinstance(found, dict):
        found = table[name] = {}
    return cast("dict[str, Any]", found)


def _join(names: Sequence[str]) -> str:
    return " and ".join(names)
