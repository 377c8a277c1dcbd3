"""The table that is shipped: what it holds, how large it is, and when it is read."""

import base64
import subprocess
import sys
from datetime import date
from pathlib import Path

from router.backends.known import KNOWN
from router.backends.profile import EFFORTS
from router.policy.facts.model_facts import MODALITIES, TOKENS_LEAST, TOKENS_MOST, ModelFacts
from router.policy.facts.shipped import _load, _unpack, find_shipped, read_date
from router.policy.facts.shipped_table import DATA


def test_four_numbers_are_kept_apart():
    """Window, most input, most output and the border of the price are not the same thing."""
    found, by_name = find_shipped("openai", "gpt-5")
    assert (found.window, found.max_input, found.max_output, by_name) == (400_000, 272_000, 128_000, False)
    found, _ = find_shipped("openai", "gpt-5.5")
    assert (found.window, found.price_tier_at) == (1_050_000, 272_000)


def test_names_with_the_date_of_a_version():
    """They are the model without it, unless the table has them."""
    assert find_shipped("anthropic", "claude-sonnet-4-5-20250929") == find_shipped("anthropic", "claude-sonnet-4-5")
    assert find_shipped("anthropic", "claude-sonnet-4-5-99999") is None
    assert find_shipped("anthropic", "x" * 10_000) is None


def test_the_whole_table_is_sound():
    """Every row is within the bounds of what is believed of a list, of a known provider, without a doubled name."""
    today = date.fromisoformat(read_date())
    assert today > date(2026, 1, 1)
    assert set(_load()) <= set(KNOWN)
    for rows in _load().values():
        assert rows
        for name, row in rows.items():
            assert name == name.lower()
            facts = _unpack(row)
            assert facts != ModelFacts(), name
            for tokens in (facts.window, facts.max_input, facts.max_output, facts.price_tier_at):
                assert tokens is None or TOKENS_LEAST <= tokens <= TOKENS_MOST, name
            assert set(facts.modalities or ()) <= set(MODALITIES)
            assert set(facts.efforts or ()) <= set(EFFORTS)
            assert facts.retires is None or date.fromisoformat(facts.retires)


def test_the_reference_says_what_is_shipped():
    """How many models, of how many providers, from when."""
    page = (Path(__file__).parents[3] / "packaging/reference/models.md").read_text("utf-8")
    count = sum(map(len, _load().values()))
    assert f"{count:,} models of {len(_load())} providers, as of {read_date()}" in " ".join(page.split())


def test_it_is_small():
    """At most 30 KB, compressed."""
    assert len(base64.b85decode(DATA)) <= 30 * 1024


def test_it_is_not_read_at_the_start():
    """Importing all of a server does not load it; the first question does."""
    program = (
        "import sys; import router.server.serve, router.admin.handlers; name = 'router.policy.facts.shipped_table'\n"
        "assert name not in sys.modules\n"
        "from router.policy.facts.shipped import find_shipped; find_shipped('openai', 'gpt-5')\n"
        "assert name in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
