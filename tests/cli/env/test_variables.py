"""What points a tool at the proxy, by tool and by how clients get in."""

import pytest

from router.cli.env import by_file
from router.cli.env.target import Target
from router.cli.env.tools import BY_NAME, SDK, TOOLS
from router.cli.env.variables import build_arguments, build_changes, fill, lacks_key, list_overwritten_keys
from router.settings import Secret

URL = "http://localhost:3456"
OPEN = Target(URL, None)
KEYED = Target(URL, Secret("fl-key"))
LOGIN = Target(URL, None, frozenset({"messages", "responses"}))
KEYED_LOGIN = Target(URL, Secret("fl-key"), frozenset({"messages", "responses"}))
CODEX = [
    "-c",
    "model_provider=fairlead-session",
    "-c",
    "model_providers.fairlead-session.name=fairlead",
    "-c",
    f"model_providers.fairlead-session.base_url={URL}/v1",
    "-c",
    "model_providers.fairlead-session.wire_api=responses",
]


@pytest.mark.parametrize("tool", [*TOOLS, *by_file.TOOLS], ids=lambda tool: tool.name)
def test_each_tool_has_lines_or_a_remedy(tool):
    """Every tool is pointed at the proxy by variables or arguments, or the user is told what to do; each says where
    that comes from. No placeholder is left."""
    texts = [*build_arguments(tool, KEYED), *map(str, build_changes(tool, KEYED, {}).values())]
    texts += [fill(line, KEYED) for line in tool.remedy]
    assert tool.source
    assert bool(tool.obstacle) == bool(tool.remedy) == (not tool.parts)
    helped = any("fairlead setup " in line for line in tool.remedy) or tool.name == "cursor"
    assert helped or any(URL in text for text in texts)
    assert not any("{url}" in text or "{key}" in text for text in (*texts, *tool.notes, tool.obstacle))
    assert {**by_file.BY_NAME, **BY_NAME}[tool.name] is tool


def test_a_login_keeps_its_variables():
    """Where the tool's own login is passed on, its variables are not set, and removed only where they hold what this
    command has set before."""
    own = {"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat", "ANTHROPIC_API_KEY": "fairlead", "OPENAI_API_KEY": "fl-key"}
    assert build_changes(SDK, LOGIN, own) == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": None,
        "OPENAI_BASE_URL": f"{URL}/v1",
        "GOOGLE_GEMINI_BASE_URL": URL,
        "GEMINI_API_KEY": "fairlead",
    }
    assert build_changes(SDK, KEYED_LOGIN, own) == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": None,
        "ANTHROPIC_CUSTOM_HEADERS": "x-fairlead-key: fl-key",
        "OPENAI_BASE_URL": f"{URL}/v1",
        "OPENAI_API_KEY": None,
        "GOOGLE_GEMINI_BASE_URL": URL,
        "GEMINI_API_KEY": "fl-key",
    }
    assert not lacks_key(SDK, LOGIN)
    assert lacks_key(SDK, KEYED_LOGIN)
    assert not lacks_key(BY_NAME["claude"], KEYED_LOGIN)


@pytest.mark.parametrize(
    ("target", "further", "variables"),
    [
        (OPEN, [], {}),
        (
            KEYED,
            ["-c", "model_providers.fairlead-session.env_key=CODEX_FAIRLEAD_KEY"],
            {"CODEX_FAIRLEAD_KEY": "fl-key"},
        ),
        (LOGIN, ["-c", "model_providers.fairlead-session.requires_openai_auth=true"], {}),
        (
            KEYED_LOGIN,
            [
                "-c",
                "model_providers.fairlead-session.requires_openai_auth=true",
                "-c",
                "model_providers.fairlead-session.env_http_headers.x-fairlead-key=CODEX_FAIRLEAD_KEY",
            ],
            {"CODEX_FAIRLEAD_KEY": "fl-key"},
        ),
    ],
)
def test_codex(target, further, variables):
    """Codex gets arguments; a key goes by a variable, since every user of the machine can read a command line."""
    codex = BY_NAME["codex"]
    assert build_arguments(codex, target) == [*CODEX, *further]
    assert build_changes(codex, target, {}) == variables
    assert not lacks_key(codex, target)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"NO_PROXY": "x"}, {}),
        (
            {"HTTP_PROXY": "http://p:1"},
            {"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1"},
        ),
        (
            {"https_proxy": "http://p:1", "NO_PROXY": "a.example, localhost"},
            {
                "NO_PROXY": "a.example,localhost,127.0.0.1,::1",
                "no_proxy": "a.example,localhost,127.0.0.1,::1",
            },
        ),
        (
            {"ALL_PROXY": "socks5://p:1", "NO_PROXY": "b", "no_proxy": "127.0.0.1,::1,localhost"},
            {"NO_PROXY": "b,localhost,127.0.0.1,::1"},
        ),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*", "no_proxy": "*"}, {}),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, {"no_proxy": "*"}),
    ],
)
def test_proxies_are_bypassed(environ, expected):
    """Where the shell has a proxy, this machine is added to the hosts that go past it; what is there stays."""
    changes = build_changes(SDK, OPEN, environ)
    assert {name: value for name, value in changes.items() if name.lower() == "no_proxy"} == expected


def test_proxies_are_bypassed_on_windows():
    """Windows' variables have one name in any capitals."""
    changes = build_changes(SDK, OPEN, {"HTTP_PROXY": "http://p:1"}, windows=True)
    assert "no_proxy" not in changes
    assert changes["NO_PROXY"] == "localhost,127.0.0.1,::1"


def test_an_address_of_its_own_is_bypassed_too():
    """A proxy that listens on another address of the machine."""
    changes = build_changes(SDK, OPEN._replace(url="http://192.168.1.5:3456"), {"HTTP_PROXY": "http://p:1"})
    assert changes["NO_PROXY"] == "localhost,127.0.0.1,::1,192.168.1.5"


def test_overwritten_keys():
    """Each variable once, with all backends that use it."""
    sources = (("ANTHROPIC_API_KEY", "a"), ("ANTHROPIC_API_KEY", "a"), ("ANTHROPIC_API_KEY", "b"), ("OTHER", "c"))
    assert list_overwritten_keys(build_changes(SDK, OPEN, {}), sources) == [("ANTHROPIC_API_KEY", ["a", "b"])]


def test_headers_that_a_comma_parts():
    """Gemini CLI has its further headers on one line: the user's stay, an older key goes, fairlead's is the last."""
    login = Target(URL, Secret("fl-key"), frozenset({"gemini"}))
    own = {"GEMINI_CLI_CUSTOM_HEADERS": "x-own: 1, 2, X-Fairlead-Key: old", "GEMINI_API_KEY": "AIza-mine"}
    assert build_changes(BY_NAME["gemini"], login, own) == {
        "GOOGLE_GEMINI_BASE_URL": URL,
        "GEMINI_CLI_CUSTOM_HEADERS": "x-own: 1, 2, x-fairlead-key: fl-key",
    }
    assert not lacks_key(BY_NAME["gemini"], login)
