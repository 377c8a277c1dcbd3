"""What routing knows is made ready once for many decisions, and in no time."""

import time

from router.backends import Backend
from router.policy.routing.table import Table
from router.settings.tables import Condition, Rule

from .tables import ALIASES, FAMILIES


def test_a_table_is_built_in_no_time():
    """2,000 models of 10 backends and 20 rules: a reload and each catalog build one; generous for a busy machine."""
    backends = [Backend(name=f"b{n}", root="https://h/v1", protocols=("chat",), vendor="openai") for n in range(10)]
    catalogs = {
        one.name: [f"claude-opus-{n % 9}-{n}" if n % 2 else f"org/model-{n}" for n in range(200)] for one in backends
    }
    rules = [Rule(name=str(n), when=Condition(model=f"*{n}*x", images=True), backend="b1") for n in range(20)]
    began = time.thread_time()
    Table(backends, catalogs, FAMILIES, "b1", ALIASES, rules)
    assert time.thread_time() - began < 0.25
