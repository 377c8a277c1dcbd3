"""What the configuration names and is not in use is found, and nothing else."""

import pytest

from router.policy.routing.dead_references import find_dead_references
from router.policy.routing.gaps import Gap
from router.settings.tables import Condition, Rule

from .tables import DEMO, LOCAL, table

OFF = Gap("off", "is disabled", "fairlead backend enable off")
SELF = Gap("self", "points to this proxy itself", "fairlead backend set self --base-url URL", loops=True)
OFF_TEXT = "names the backend off, which is disabled: `fairlead backend enable off`."

DEAD = [
    ({"default": "off"}, f"default_backend {OFF_TEXT}"),
    ({"default": "demo"}, "default_backend names the backend demo, which is off: `fairlead config set demo on`."),
    ({"model": "off:x"}, f"model {OFF_TEXT}"),
    ({"fast_model": "off:x"}, f"fast_model {OFF_TEXT}"),
    ({"aliases": {"fast": "off:x"}}, f"aliases.fast {OFF_TEXT}"),
    ({"fallback": {"gpt-*": ("local:m", "off:x")}}, f'fallback."gpt-*" {OFF_TEXT}'),
    ({"routes": [Rule(name="r", backend="off", model="local:m")]}, f'rule "r" {OFF_TEXT}'),
    ({"routes": [Rule(name="r", model="off:m")]}, f'rule "r" {OFF_TEXT}'),
    ({"routes": [Rule(name="r", fallback=("off:m",))]}, f'the fallback of rule "r" {OFF_TEXT}'),
    ({"gaps": [SELF]}, "The backend self points to this proxy itself: `fairlead backend set self --base-url URL`."),
]


@pytest.mark.parametrize(("options", "said"), DEAD)
def test_each_is_told_with_its_setting_and_a_command(options, said):
    """One sentence for each setting, that names it, the backend and what helps."""
    [found] = find_dead_references(table(LOCAL, **{"gaps": [OFF], **options}))
    assert found.startswith(said)


def test_what_is_there_is_not_told():
    """Backends in use in any case, models with colons and shortcuts; what is not configured is told elsewhere."""
    rules = [Rule(name="r", when=Condition(client="codex"), backend="LOCAL", fallback=("demo:demo",))]
    aliases = {"a": "llama3:8b", "b": "Local:m", "c": "opus", "d": "unheard:of", "e": "mistral:7b", "f": "groq:x"}
    catalogs = {"local": ("llama3:8b", "mistral:7b"), "demo": ()}
    chains = {"*": ("local:x",)}
    known = table(LOCAL, DEMO, catalogs=catalogs, default="demo", aliases=aliases, routes=rules, fallback=chains)
    assert find_dead_references(known) == []
