"""Config files of tools: where one would lead a tool elsewhere, what is put over it for one run. No file of the user is
changed; what a tool needs in a file is a private one, which ends with the run."""

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from router.backends import ANTHROPIC, OPENAI, Api, speaks_api
from router.cli.env import by_file
from router.cli.run.plan import Plan, PrivateFolder
from router.errors import CommandError, UsageError
from router.net.loopback import LOCALHOST
from router.settings.kinds import NO_KEY, clean
from router.setup.formats.document import InvalidDocument, make_invalid_error
from router.setup.formats.json_edit import JSONC
from router.setup.state import parse_file, read_base
from router.setup.tool import ENTRY, Tool, dig_text, list_entries
from router.setup.tools import claude_code, continue_dev, gemini_cli, llm, qwen
from router.store.home.permissions import FILE_LIMIT

#: Characters of the configuration that opencode gets in a variable: a system bounds these.
_CONTENT_LIMIT = 24_000


def override_claude_settings(plan: Plan) -> None:
    """Claude Code takes variables from the `env` of its settings before those it is started with; a file that is named
    on the command line comes before the user's and the project's."""
    for managed in claude_code.TOOL.managed_files.get(sys.platform, ()):
        forced = _read_env(managed).get("ANTHROPIC_BASE_URL")
        if forced is not None and not _leads_here(str(forced), plan):
            raise CommandError(
                f"{managed}, which the administrator of this machine manages, has Claude Code use another URL.",
                "Nothing that fairlead sets comes before it: ask the administrator.",
            )
    places = [claude_code.find_main(plan.place)[0], *claude_code.TOOL.project_files]
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

    path = continue_dev.find_main(plan.place)[0]
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


def choose_gemini_login(plan: Plan) -> None:
    """Gemini CLI takes from its settings alone that it uses a key. Where they do not say so, it gets a folder with a
    copy of them that does, and with everything else that its own folder has."""
    path = gemini_cli.find_settings(plan.place)[0]
    settings = _parse(_read(path), str(path))
    *tables, last = gemini_cli.LOGIN
    if dig_text(settings, *gemini_cli.LOGIN) != gemini_cli.BY_KEY:
        inner = settings
        for name in tables:
            inner = _table(inner, name)
        inner[last] = gemini_cli.BY_KEY
        plan.folder = PrivateFolder(
            variable="GEMINI_CLI_HOME",
            name=path.parent.name,
            files={path.name: json.dumps(settings).encode()},
            own=path.parent,
            left_out=gemini_cli.LOGIN_FILES,
        )
        plan.changes[plan.folder.variable] = plan.folder.word
        plan.notes.append(f"{path} does not choose a key, so it runs with a copy that does: what it changes in its")
        plan.notes.append("settings ends with the run. To have it use its own ones:   fairlead setup gemini")
    project = Path(".gemini", path.name)
    chosen = dig_text(_parse(_read(project), str(project)), *gemini_cli.LOGIN)
    if chosen not in ("", gemini_cli.BY_KEY) and project.resolve() != path.resolve():
        plan.notes.append(f"{project} of this folder chooses the login {clean(chosen)}, which comes before that.")


def check_qwen_settings(plan: Plan) -> None:
    """The providers of Qwen Code's settings come before variables and arguments."""
    for path in (qwen.find_main(plan.place)[0], *qwen.TOOL.project_files):
        settings = _parse(_read(path), str(path))
        providers = settings.get("modelProviders")
        told = json.dumps(providers) if providers else ""
        if told and not _leads_here(told, plan):
            plan.notes.append(f"{path} has modelProviders, which come before what is set here.")
            plan.notes.append("Point them here:   fairlead setup qwen")
        if not plan.model_given and _table(settings, "model").get("name"):
            plan.changes.pop("OPENAI_MODEL", None)


def check_own_file(plan: Plan, tool: Tool) -> None:
    """For a tool that takes URL and key from its own file only. Raises UsageError unless that leads here, CommandError
    for one that cannot be read."""
    if not _leads_here(read_base(tool, plan.place), plan):
        about = by_file.BY_NAME[tool.name]
        raise UsageError(about.obstacle, "\n".join(about.remedy))
    plan.keeps_key = True


def choose_llm_model(plan: Plan) -> None:
    """llm asks for models that it knows: those with OpenAI's names follow the variables; one that `fairlead setup` has
    registered has URL and key in its file."""
    path, form = llm.find_main(plan.place)
    if plan.model:
        name = f"{ENTRY}/{plan.model}"
        entries = [one for one in list_entries(parse_file(path, form)) if one.get("model_id") == name]
        plan.keeps_key = any(_leads_here(dig_text(one, "api_base"), plan) for one in entries)
        if not plan.keeps_key:
            name = plan.model
            plan.notes.append(f"where llm does not know {clean(name)}, register it:   fairlead setup llm")
        plan.insert("-m", name)
        return
    named = next((after for flag, after in pairwise(plan.arguments) if flag in ("-m", "--model")), None)
    plan.keeps_key = (named or _read(path.with_name("default_model.txt"))).startswith(f"{ENTRY}/")


def _leads_here(text: str, plan: Plan) -> bool:
    """True where a text names the proxy's URL, by any name of this machine."""
    scheme, _, place = plan.target.url.partition("://")
    port = place.rpartition(":")[2]
    hosts = ("localhost", *(f"[{one}]" if ":" in one else one for one in LOCALHOST))
    ours = {plan.target.url, *(f"{scheme}://{host}:{port}" for host in hosts)}
    return any(text.find(url + end) >= 0 for url in ours for end in ('"', "/", "'")) or text in ours


def _read_env(path: str | Path) -> Mapping[str, object]:
    """The `env` of one of Claude Code's settings files; empty where that drops the file as not valid."""
    try:
        found = json.loads(_read(path) or "{}")
    except ValueError:
        return {}
    return _table(cast("object", found), "env") if isinstance(found, dict) else {}


def _read(path: str | Path) -> str:
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
