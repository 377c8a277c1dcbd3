"""Which tool a command line starts, and what `fairlead run` adds for it, as data.

What each tool reads is in the table of `fairlead env` (cli.env.tools); here is what a command line, a private file or a
model adds to that. {model} stands for the name that --model has, {quoted} for the same as a TOML string.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from router.backends import ANTHROPIC, OPENAI
from router.cli.env import by_file
from router.cli.env.tools import BY_NAME, GEMINI, Part, Tool
from router.cli.run import config_files
from router.cli.run.plan import Plan, has_flag
from router.setup.tools import cline, pi

#: What every started program gets, for SDKs and for what a tool starts itself. Newer SDKs send a key as Bearer.
COMMON = Tool(
    "program",
    "a program",
    "anthropic 2.14, openai 3.57 and google-genai 3.6 for Python and JavaScript, tried",
    parts=(
        Part(
            ANTHROPIC,
            urls=(("ANTHROPIC_BASE_URL", "{url}"),),
            keys=(("ANTHROPIC_AUTH_TOKEN", "{key}"), ("ANTHROPIC_API_KEY", "{key}")),
            headers="ANTHROPIC_CUSTOM_HEADERS",
        ),
        Part(
            OPENAI,
            urls=(("OPENAI_BASE_URL", "{url}/v1"), ("OPENAI_API_BASE", "{url}/v1")),
            keys=(("OPENAI_API_KEY", "{key}"),),
        ),
        GEMINI,
    ),
)
#: Variables that lead a program past the proxy, or name somebody else's account there.
BYPASSING = (
    *("ANTHROPIC_API_KEY", "ANTHROPIC_UNIX_SOCKET", "OPENAI_ORG_ID", "OPENAI_PROJECT", "OPENAI_PROJECT_ID"),
    *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
    *("GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_GCA"),
)


class Program(NamedTuple):
    """A tool as `fairlead run` starts it."""

    tool: Tool
    #: The names by which npx, uvx and the like know it.
    packages: tuple[str, ...] = ()
    #: Further variables, and those set only where the user has none of that name.
    variables: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()
    #: What --model becomes: variables, and arguments in front of the user's own.
    model_variables: tuple[str, ...] = ()
    model_arguments: tuple[str, ...] = ()
    #: What begins an argument of the user's that chooses a model, or a provider: ours are left out then.
    model_flags: tuple[str, ...] = ()
    provider_flags: tuple[str, ...] = ()
    #: True where it does not start without the name of a model.
    needs_model: bool = False
    #: True where it offers the models of a list that it is given.
    lists_models: bool = False
    #: True where it takes the URL from its own file alone.
    leads_by_file: bool = False
    #: What is written for it, or looked at, beside variables and arguments. Raises CommandError, UsageError.
    prepare: Callable[[Plan], None] | None = None


PROGRAMS = (
    Program(
        BY_NAME["claude"],
        packages=("@anthropic-ai/claude-code",),
        variables=(("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "1"),),
        model_variables=("ANTHROPIC_MODEL",),
        model_flags=("--model",),
        provider_flags=("--settings",),
        prepare=config_files.override_claude_settings,
    ),
    Program(
        BY_NAME["codex"],
        packages=("@openai/codex",),
        model_arguments=("-c", "model={quoted}"),
        model_flags=("-m", "--model", "model="),
        provider_flags=("-p", "--profile", "model_provider=", "--oss"),
    ),
    Program(
        BY_NAME["opencode"],
        packages=("opencode-ai",),
        model_flags=("-m", "--model"),
        lists_models=True,
        prepare=config_files.add_opencode_config,
    ),
    Program(
        BY_NAME["aider"],
        packages=("aider-chat",),
        model_arguments=("--model", "openai/{model}"),
        model_flags=("--model", "--opus", "--sonnet", "--haiku", "--4o", "--mini", "--deepseek"),
    ),
    Program(
        BY_NAME["gemini"],
        packages=("@google/gemini-cli",),
        model_variables=("GEMINI_MODEL",),
        model_flags=("-m", "--model"),
        prepare=config_files.choose_gemini_login,
    ),
    Program(
        BY_NAME["qwen"],
        packages=("@qwen-code/qwen-code",),
        model_variables=("OPENAI_MODEL",),
        model_flags=("-m", "--model"),
        needs_model=True,
        prepare=config_files.check_qwen_settings,
    ),
    Program(
        BY_NAME["copilot"],
        packages=("@github/copilot",),
        model_variables=("COPILOT_MODEL",),
        model_flags=("--model",),
        needs_model=True,
    ),
    Program(BY_NAME["llm"], packages=("llm",), model_flags=("-m", "--model"), prepare=config_files.choose_llm_model),
    Program(
        BY_NAME["goose"],
        packages=("goose",),
        defaults=(("GOOSE_PROVIDER", "openai"),),
        model_variables=("GOOSE_MODEL",),
        model_flags=("--model",),
    ),
    Program(
        by_file.BY_NAME["cn"],
        packages=("@continuedev/cli",),
        needs_model=True,
        provider_flags=("--config",),
        prepare=config_files.add_continue_config,
    ),
    Program(
        by_file.BY_NAME["pi"],
        packages=("@earendil-works/pi-coding-agent",),
        model_arguments=("--model", "{model}"),
        model_flags=("--model",),
        leads_by_file=True,
        prepare=partial(config_files.check_own_file, tool=pi.TOOL),
    ),
    Program(
        by_file.BY_NAME["cline"],
        packages=("cline",),
        leads_by_file=True,
        prepare=partial(config_files.check_own_file, tool=cline.TOOL),
    ),
    *(Program(tool) for tool in by_file.TOOLS if tool.name not in ("cn", "pi", "cline")),
)
#: Any other program.
OTHER = Program(COMMON, model_variables=("ANTHROPIC_MODEL", "OPENAI_MODEL"))

_BY_NAME = {program.tool.name: program for program in PROGRAMS}
_BY_PACKAGE = {package: program for program in PROGRAMS for package in program.packages}


class _Runner(NamedTuple):
    """A program that fetches a package and starts it: its words before options, and its options with a value."""

    words: tuple[str, ...] = ()
    valued: tuple[str, ...] = ()


_NPM = ("-p", "--package", "-w", "--workspace", "--registry", "--cache")
_UV = ("--from", "--with", "-p", "--python", "--index-url", "--default-index", "--index")
_RUNNERS = (
    ("npx", _Runner(valued=_NPM)),
    ("bunx", _Runner(valued=("-p", "--package"))),
    ("uvx", _Runner(valued=_UV)),
    ("pnpm", _Runner(("dlx",), ("--package",))),
    ("yarn", _Runner(("dlx",), ("-p", "--package"))),
    ("bun", _Runner(("x",), ("-p", "--package"))),
    ("uv", _Runner(("tool", "run"), _UV)),
    ("pipx", _Runner(("run",), ("--spec", "--python", "--index-url"))),
    ("npm", _Runner(("exec",), _NPM)),
)
_EXTENSIONS = (".exe", ".cmd", ".bat", ".ps1")


class Recognised(NamedTuple):
    """What a command line starts."""

    program: Program
    #: Where further arguments go: behind the word that names it.
    at: int


def recognise(words: Sequence[str]) -> Recognised:
    """The tool that a command line starts, also through npx, uvx and the like; OTHER where it is not known."""
    name = _read_name(words[0])
    if name in _BY_NAME:
        return Recognised(_BY_NAME[name], 1)
    for runner, about in _RUNNERS:
        if name == runner and tuple(words[1 : 1 + len(about.words)]) == about.words:
            place = _find_package(words, 1 + len(about.words), about.valued)
            package = _strip_version(words[place]) if place < len(words) else ""
            program = _BY_PACKAGE.get(package) or _BY_NAME.get(package)
            if program is not None:
                return Recognised(program, place + 1)
    return Recognised(OTHER, 1)


def is_refused(program: Program) -> bool:
    """True for a tool that nothing here leads to the proxy."""
    return bool(program.tool.obstacle) and program.prepare is None


def chooses_provider(program: Program, arguments: Sequence[str]) -> str:
    """The user's argument by which a tool goes elsewhere; "" for none."""
    return next((flag for flag in program.provider_flags if has_flag(arguments, flag)), "")


def _find_package(words: Sequence[str], place: int, valued: Sequence[str]) -> int:
    while place < len(words) and words[place].startswith("-"):
        if words[place] == "--":
            return place + 1
        place += 2 if words[place] in valued else 1
    return place


def _strip_version(package: str) -> str:
    """`@openai/codex` for `@openai/codex@0.171.0`, `aider-chat` for `aider-chat==0.86.2`."""
    name = package.partition("==")[0].partition("[")[0]
    return name[:1] + name[1:].partition("@")[0]


def _read_name(word: str) -> str:
    name = os.path.basename(word)
    root, extension = os.path.splitext(name)
    if sys.platform == "win32" and extension.lower() in _EXTENSIONS:
        return root.lower()
    return name
