"""The list of models that Codex asks for with `client_version` in its query.

The shape is `ModelInfo` of codex-rs/protocol/src/openai_models.rs (openai/codex, Apache-2.0): one entry that lacks a
required field makes Codex refuse the whole list. Codex starts each conversation with the instructions of the entry, so
each has some: they are fairlead's own, and far shorter than those that Codex has (1,400 characters, against 18,000).

An entry replaces what Codex knows of its name, and makes an agent worse in all but its window. So it has only the
models that Codex is wrong about. What Codex itself has an entry for is left out; that entry counts, as the list is laid
over it. Of a model that it does not know Codex assumes a window of 272,000 tokens, and uses its own instructions; so
one with at least as much is left out too, which costs what it has beyond. What is left are models with smaller windows,
which Codex would overrun at the end of each. A model whose window is not known is left out as well: Codex never
shortens the conversation for a listed model without one.
"""

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from router.wire.model_lists import openai
from router.wire.model_lists.listed import ListedModel
from router.wire.raw.json.json_values import Json

#: Models on the list; each entry repeats the instructions.
LIMIT = 1000
#: Tokens of the window that Codex assumes for a model it does not know.
_ASSUMED_WINDOW = 272_000
#: How the names begin that Codex has entries for: those of version 0.171.
_OWN_NAMES = ("gpt-5", "gpt-6", "gpt-daybreak", "codex-")
#: What Codex's own list has: efforts, and kinds of input.
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_MODALITIES = ("text", "image")
_ABOUT = {
    "none": "Answers without reasoning first",
    "minimal": "Reasons as little as it can",
    "low": "Reasons little and answers fast",
    "medium": "Weighs speed against depth",
    "high": "Reasons at length about hard tasks",
    "xhigh": "Reasons as long as it can",
}
#: Tokens of a tool's output that are kept.
_TOOL_OUTPUT = 10_000
#: Percent of the window that Codex uses; the rest is for its own prompt and the answer.
_USED_PERCENT = 95

INSTRUCTIONS = """\
You are a coding agent that works in the user's workspace through Codex, a command-line tool. You see files and run \
commands only through the tools that are offered to you.

How to work:
- Find out before you change: read the files that matter, look at how the project builds and tests, and follow the \
style that you find. Search with `rg` where it is there.
- Solve the task at its cause and as a whole. Change what the task needs and leave alone what it does not. Do not undo \
changes that you did not make.
- For a task of several steps keep a short plan with the plan tool, if there is one, and keep it up to date.
- Check your work: run the narrowest test first, then the broader ones. Say so plainly when something fails or could \
not be run. Never claim a result that you did not see.
- Obey AGENTS.md files: one holds for its folder and all below it, the nearest counts first, and what the user says \
counts before them.
- Respect the sandbox and the approvals of the tool. Ask before anything that cannot be undone or that reaches beyond \
the workspace. Do not commit, push or install unless you are asked to.
- Never put secrets into files, commands or answers.

How to answer:
- Be brief and concrete. Name files with their path and line. Before you run commands say in a sentence what you are \
about to do and why.
- End with what you changed, how you checked it, and what is left.
"""


def page(names: Sequence[str], describe: Callable[[Sequence[str]], list[ListedModel]], query: str) -> Json:
    """OpenAI's list of models, and for Codex its own beside it."""
    found = openai.page(names, describe, query)
    if any(name == "client_version" for name, _ in parse_qsl(query)):
        found["models"] = list_models(describe(names))
    return found


def list_models(models: Sequence[ListedModel]) -> list[Json]:
    """The entries of the models that Codex would give too large a window, in the order in which Codex shows them."""
    known = [(model, window) for model in models if (window := model.max_input or model.window) is not None]
    smaller = [(model, window) for model, window in known if window < _ASSUMED_WINDOW and not _is_own(model.name)]
    return [_describe(model, window, place) for place, (model, window) in enumerate(smaller[:LIMIT])]


def _is_own(name: str) -> bool:
    """True for a model that Codex has an entry for, whatever backend is named before it."""
    return name.rpartition(":")[2].rpartition("/")[2].startswith(_OWN_NAMES)


def _describe(model: ListedModel, window: int, place: int) -> Json:
    efforts = [effort for effort in _EFFORTS if effort in (model.efforts or ())]
    modalities = [kind for kind in _MODALITIES if model.modalities is None or kind in model.modalities]
    entry: Json = {
        "slug": model.name,
        "display_name": model.label,
        "description": model.description or None,
        "supported_reasoning_levels": [{"effort": effort, "description": _ABOUT[effort]} for effort in efforts],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": place,
        "availability_nux": None,
        "upgrade": None,
        "base_instructions": INSTRUCTIONS,
        "supports_reasoning_summaries": bool(efforts),
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "tokens", "limit": _TOOL_OUTPUT},
        "supports_parallel_tool_calls": False,
        "context_window": window,
        "max_context_window": window,
        "effective_context_window_percent": _USED_PERCENT,
        "experimental_supported_tools": [],
        "input_modalities": modalities or ["text"],
    }
    if efforts:
        entry["default_reasoning_level"] = "medium" if "medium" in efforts else efforts[len(efforts) // 2]
    return entry
