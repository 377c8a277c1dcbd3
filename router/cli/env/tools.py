"""How each tool is pointed at the proxy, as data: its variables and its arguments. Those that read neither are in
by_file.

In the texts {url} stands for the proxy's URL and {key} for the client key. `Tool.source` names the page of the tool's
documentation, or the version that was tried. A tool with a login of its own keeps it where a backend passes that login
on (`auth = client`): its `keys` are then left out.
"""

from typing import NamedTuple

from router.backends import ANTHROPIC, GOOGLE, OPENAI, Api


class Part(NamedTuple):
    """What a tool needs for one vendor's API. Pairs of a variable and its value."""

    api: Api
    urls: tuple[tuple[str, str], ...]
    keys: tuple[tuple[str, str], ...] = ()
    #: Variables that the tool would follow instead.
    removed: tuple[str, ...] = ()
    #: The variable with further headers, which carry fairlead's key beside a login; "" where the tool has none.
    headers: str = ""
    #: What stands between two of them.
    between: str = "\n"


class Tool(NamedTuple):
    """One tool."""

    name: str
    title: str
    source: str
    parts: tuple[Part, ...] = ()
    #: What stands in front of the user's own arguments; then where a key is needed; then where the tool keeps its
    #: login; then where both hold.
    arguments: tuple[str, ...] = ()
    key_arguments: tuple[str, ...] = ()
    login_arguments: tuple[str, ...] = ()
    login_key_arguments: tuple[str, ...] = ()
    #: The variable of a key that the arguments name.
    key_variable: str = ""
    #: What the user should know beside the lines, one line each.
    notes: tuple[str, ...] = ()
    #: Why no line helps, and what to do. A tool with these has nothing above.
    obstacle: str = ""
    remedy: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()


_MESSAGES = Part(
    ANTHROPIC,
    urls=(("ANTHROPIC_BASE_URL", "{url}"),),
    keys=(("ANTHROPIC_AUTH_TOKEN", "{key}"),),
    # With this one Claude Code asks a question whose default answer leads away, and warns about two credentials.
    removed=("ANTHROPIC_API_KEY",),
    headers="ANTHROPIC_CUSTOM_HEADERS",
)
_KEYED_MESSAGES = Part(
    ANTHROPIC, urls=(("ANTHROPIC_BASE_URL", "{url}"),), keys=(("ANTHROPIC_API_KEY", "{key}"),), removed=()
)
#: Google's SDKs prefer GOOGLE_API_KEY where both keys are set; scripts use that one for its other services too.
GEMINI = Part(
    GOOGLE,
    urls=(("GOOGLE_GEMINI_BASE_URL", "{url}"),),
    keys=(("GEMINI_API_KEY", "{key}"),),
)
_COMMON = Part(OPENAI, urls=(("OPENAI_BASE_URL", "{url}/v1"),), keys=(("OPENAI_API_KEY", "{key}"),))
# Apart from the provider that `fairlead setup` writes: Codex refuses one with two ways to get its key.
_CODEX = "fairlead-session"
_MODELS = "Choose one of the models that this lists:   fairlead models"

#: What SDKs and most tools read; printed where no tool is named.
SDK = Tool(
    "sdk",
    "the SDKs of Anthropic, OpenAI and Google",
    "anthropic 2.14, openai 3.57 and google-genai 3.6 for Python, tried",
    parts=(_MESSAGES, _COMMON, GEMINI),
)

TOOLS = (
    Tool(
        "claude",
        "Claude Code",
        "2.1.332, tried; https://code.claude.com/docs/en/llm-gateway",
        parts=(
            _MESSAGES._replace(
                # Which kind of request it is, and of which agent, for the history and for rules.
                urls=(*_MESSAGES.urls, ("CLAUDE_CODE_GATEWAY_HINT_HEADERS", "1")),
                removed=(
                    *_MESSAGES.removed,
                    "CLAUDE_CODE_USE_BEDROCK",
                    "CLAUDE_CODE_USE_VERTEX",
                    "CLAUDE_CODE_USE_FOUNDRY",
                ),
            ),
        ),
        notes=("If ~/.claude/settings.json sets ANTHROPIC_BASE_URL, Claude Code uses that one: remove it there.",),
        other_names=("claude-code",),
    ),
    Tool(
        "codex",
        "Codex",
        "0.171.0, tried; https://developers.openai.com/codex/config-reference (openai/codex PR 16720 removed its "
        "variable for the base URL)",
        parts=(Part(OPENAI, urls=()),),
        arguments=(
            "-c",
            f"model_provider={_CODEX}",
            "-c",
            f"model_providers.{_CODEX}.name=fairlead",
            "-c",
            f"model_providers.{_CODEX}.base_url={{url}}/v1",
            "-c",
            f"model_providers.{_CODEX}.wire_api=responses",
        ),
        key_arguments=("-c", f"model_providers.{_CODEX}.env_key=CODEX_FAIRLEAD_KEY"),
        login_arguments=("-c", f"model_providers.{_CODEX}.requires_openai_auth=true"),
        login_key_arguments=("-c", f"model_providers.{_CODEX}.env_http_headers.x-fairlead-key=CODEX_FAIRLEAD_KEY"),
        key_variable="CODEX_FAIRLEAD_KEY",
        notes=("Codex reads no variable for its base URL, so the lines make `codex` run with arguments.",),
    ),
    Tool(
        "aider",
        "aider",
        "0.86.2, tried; https://aider.chat/docs/llms/openai-compat.html",
        parts=(
            # Those with its own name have precedence over its files, which may have another key.
            _KEYED_MESSAGES._replace(
                urls=(("ANTHROPIC_BASE_URL", "{url}"), ("ANTHROPIC_API_BASE", "{url}")),
                keys=(("ANTHROPIC_API_KEY", "{key}"), ("AIDER_ANTHROPIC_API_KEY", "{key}")),
            ),
            _COMMON._replace(
                urls=(
                    ("OPENAI_BASE_URL", "{url}/v1"),
                    ("OPENAI_API_BASE", "{url}/v1"),
                    ("AIDER_OPENAI_API_BASE", "{url}/v1"),
                ),
                keys=(("OPENAI_API_KEY", "{key}"), ("AIDER_OPENAI_API_KEY", "{key}")),
            ),
        ),
        notes=("Name the model with its API:   aider --model openai/NAME, or --model anthropic/NAME",),
    ),
    Tool(
        "opencode",
        "opencode",
        "1.18.33, tried; https://opencode.ai/docs/providers",
        parts=(_KEYED_MESSAGES, _COMMON),
        notes=("A baseURL in opencode.json has precedence over these variables: remove it there.",),
    ),
    Tool(
        "gemini",
        "Gemini CLI",
        "0.61.0, tried; https://geminicli.com/docs/reference/configuration",
        parts=(GEMINI._replace(headers="GEMINI_CLI_CUSTOM_HEADERS", between=", "),),
        notes=(
            "Gemini CLI must be set to use a key. fairlead setup gemini writes that; by hand, in "
            '~/.gemini/settings.json: {"security": {"auth": {"selectedType": "gemini-api-key"}}}',
        ),
        other_names=("gemini-cli",),
    ),
    Tool(
        "qwen",
        "Qwen Code",
        "0.24.4, tried; https://qwenlm.github.io/qwen-code-docs/",
        # The second one is named by the models that `fairlead setup` writes into its settings.
        parts=(_COMMON._replace(keys=(("OPENAI_API_KEY", "{key}"), ("QWEN_FAIRLEAD_KEY", "{key}"))),),
        notes=(
            "Set OPENAI_MODEL too. " + _MODELS,
            "A modelProviders entry in ~/.qwen/settings.json has precedence over these variables.",
        ),
        other_names=("qwen-code",),
    ),
    Tool(
        "copilot",
        "Copilot CLI",
        "1.0.102, tried",
        parts=(
            Part(
                OPENAI,
                urls=(("COPILOT_PROVIDER_BASE_URL", "{url}/v1"), ("COPILOT_PROVIDER_WIRE_API", "responses")),
                keys=(("COPILOT_PROVIDER_API_KEY", "{key}"),),
            ),
        ),
        notes=("Set COPILOT_MODEL too. " + _MODELS,),
    ),
    Tool(
        "llm",
        "llm",
        "0.36 with llm-anthropic 0.30, tried; https://llm.datasette.io/en/stable/other-models.html",
        parts=(_KEYED_MESSAGES, _COMMON),
    ),
    Tool(
        "goose",
        "goose",
        "https://block.github.io/goose/docs/guides/environment-variables, not tried",
        parts=(
            Part(ANTHROPIC, urls=(("ANTHROPIC_HOST", "{url}"),), keys=(("ANTHROPIC_API_KEY", "{key}"),)),
            Part(
                OPENAI,
                urls=(("OPENAI_HOST", "{url}"), ("OPENAI_BASE_PATH", "v1/chat/completions")),
                keys=(("OPENAI_API_KEY", "{key}"),),
            ),
        ),
        notes=("Set GOOSE_PROVIDER (openai or anthropic) and GOOSE_MODEL too. " + _MODELS,),
    ),
    SDK,
)

BY_NAME = {name: tool for tool in TOOLS for name in (tool.name, *tool.other_names)}
