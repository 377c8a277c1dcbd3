"""What the configuration names and nothing answers to is found, and nothing else."""

import pytest

from router.policy.routing.dead_references import find_dead_references
from router.policy.routing.gaps import Gap
from router.settings.tables import Condition, Rule

from .tables import DEMO, LOCAL, table

OFF = Gap("off", "is disabled", "fairlead backend enable off")
SELF = Gap("self", "points to this proxy itself", "fairlead backend set self --base-url URL", loops=True)
GROQ = "names the backend groq, which is not configured: `fairlead backend add groq`."

DEAD = [
    ({"default": "groq"}, f"default_backend {GROQ}"),
    ({"default": "off"}, "default_backend names the backend off, which is disabled: `fairlead backend enable off`."),
    ({"default": "demo"}, "default_backend names the backend demo, which is off: `fairlead config set demo on`."),
    ({"model": "groq:x"}, f"model {GROQ}"),
    ({"fast_model": "off:x"}, "fast_model names the backend off"),
    ({"aliases": {"fast": "groq:x"}}, f"aliases.fast {GROQ}"),
    ({"fallback": {"gpt-*": ("local:m", "groq:x")}}, f'fallback."gpt-*" {GROQ}'),
    ({"routes": [Rule(name="r", backend="groq", model="local:m")]}, f'rule "r" {GROQ}'),
    ({"routes": [Rule(name="r", model="groq:m")]}, f'rule "r" {GROQ}'),
    ({"routes": [Rule(name="r", fallback=("groq:m",))]}, f'the fallback of rule "r" {GROQ}'),
    (
        {"routes": [Rule(name="r", when=Condition(client="claudecode"))]},
        'rule "r" never matches: claudecode is not a client fairlead recognises. Known clients: claude-code, codex, '
        "opencode, anthropic-sdk, openai-sdk.",
    ),
    ({"gaps": [SELF]}, "The backend self points to this proxy itself: `fairlead backend set self --base-url URL`."),
]


@pytest.mark.parametrize(("options", "said"), DEAD)
def test_each_is_told_with_its_setting_and_a_command(options, said):
    """One sentence for each setting, that names it, the backend and what helps."""
    [found] = find_dead_references(table(LOCAL, **{"gaps": [OFF], **options}))
    assert found.startswith(said)


def test_what_is_there_is_not_told():
    """Backends in use in any case, models with colons, shortcuts, and clients that are known."""
    rules = [Rule(name="r", when=Condition(client="codex"), backend="LOCAL", fallback=("demo:demo",))]
    aliases = {"a": "llama3:8b", "b": "Local:m", "c": "opus", "d": "unheard:of", "e": "mistral:7b"}
    catalogs = {"local": ("llama3:8b", "mistral:7b"), "demo": ()}
    chains = {"*": ("local:x",)}
    known = table(LOCAL, DEMO, catalogs=catalogs, default="demo", aliases=aliases, routes=rules, fallback=chains)
    assert find_dead_references(known) == []


def test_a_list_that_is_still_to_be_read_may_have_the_model():
    """`mistral:7b` is a name of Ollama's: no word of the provider mistral until all lists were read."""
    unread = table(LOCAL, DEMO, catalogs={"demo": ()}, aliases={"a": "mistral:7b", "b": "off:m"}, gaps=[OFF])
    [found] = find_dead_references(unread)
    assert found.startswith("aliases.b ")
