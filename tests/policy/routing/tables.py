"""Backends, catalogs, rules and routing tables that the tests of decisions share."""

from router.backends import Backend
from router.policy.routing.table import Table
from router.settings.tables import Condition, Edits, Rule

FAMILIES = {"openai": (r"gpt-.*", r"o\d.*"), "anthropic": (r"claude-.*",)}
PUBLISHED = {"openai": (r"gpt-oss.*",)}
OPENAI = Backend(name="openai", root="https://a/v1", protocols=("chat", "responses"), vendor="openai")
CLAUDE = Backend(name="claude", root="https://b/v1", protocols=("messages",), vendor="anthropic")
LOCAL = Backend(name="local", root="http://c/v1", protocols=("messages", "chat"), vendor="ollama")
DEMO = Backend(name="demo", root="http://d/v1", protocols=("messages", "chat", "responses"), auth="none")
CATALOGS = {
    "openai": ("gpt-5", "shared"),
    "claude": ("claude-opus-5", "shared"),
    "local": ("llama3:8b", "shared", "gpt-oss"),
    "demo": ("demo", "demo-tools"),
}


def table(*backends, default=None, catalogs=CATALOGS, **options):
    options.setdefault("published", PUBLISHED)
    return Table(backends or (OPENAI, CLAUDE, LOCAL, DEMO), catalogs, FAMILIES, default, **options)


ROUTER = Backend(name="router", root="https://r/v1", protocols=("messages", "chat", "responses"), vendor="openrouter")
GPT = Backend(name="gpt", root="https://g/v1", protocols=("chat",))
FULL = {
    **CATALOGS,
    "claude": ("claude-opus-4-8", "claude-opus-5", "claude-opus-4-6-20260101", "claude-haiku-4-5", "shared"),
    "router": ("anthropic/claude-opus-5", "claude-sonnet-5", "claude-sonnet-5[1m]", "qwen/qwen3", "gpt-5:free"),
    "gpt": ("oss",),
}
EVERY = (OPENAI, CLAUDE, LOCAL, ROUTER, DEMO)
ALIASES = {"Fast": "openai:gpt-5", "best": "opus", "gpt-5": "claude-opus-4-8", "a": "b", "b": "a", "self": "self"}
LONG = Rule(name="long", when=Condition(tokens_over=100_000), backend="local", model="llama3:8b")
ANY_CLAUDE = Rule(name="any claude", when=Condition(model="claude-*"), backend="router")
GONE = Rule(name="gone", when=Condition(model="claude-*"), backend="nowhere")
RENAME = Rule(name="rename", when=Condition(model="old-*"), model="gpt-5")
TO_OPUS = Rule(name="to opus", when=Condition(model="draft"), backend="claude", model="opus")
BY_PREFIX = Rule(name="by prefix", when=Condition(model="odd"), model="local:x:y")
EDITS = Rule(name="edits", when=Condition(protocol="messages"), edits=Edits(effort="low"))
SMALL = Rule(name="small", when=Condition(model="*haiku*"), model="opus46")


def full_table(*, backends=EVERY, aliases=ALIASES, **options):
    options.pop("traits", None)
    options.setdefault("published", PUBLISHED)
    return Table(backends, FULL, FAMILIES, options.pop("default", None), aliases=aliases, **options)
