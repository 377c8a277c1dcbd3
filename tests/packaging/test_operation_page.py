"""packaging/reference/operation.md names what there is: settings, variables, endpoints, metrics, commands, files."""

import re
from pathlib import Path

import pytest

from router.admin import metrics_api
from router.cli import COMMANDS
from router.operator_api.endpoints import ENDPOINTS
from router.settings import DECLARATIONS, format_default
from router.settings.declaring.drain import DRAIN_LIMIT
from router.settings.keys import find_unknown_variables
from router.store.keys import own_secrets

PAGE = Path(__file__).parents[2] / "packaging" / "reference" / "operation.md"
TEXT = PAGE.read_text("utf-8")
WORDS = re.findall(r"`([^`]+)`", TEXT)
DECLARED = {entry.key: entry for entry in DECLARATIONS}
#: Words of other programs, in the form of a setting, an endpoint or a metric.
OF_OTHERS = {"config.toml", "history.db"}


def test_settings_and_variables_are_there():
    """A word with a dot is a setting; a variable is one that fairlead reads."""
    named = {word for word in WORDS if re.fullmatch(r"[a-z_]+\.[a-z_]+", word)} - OF_OTHERS
    assert named >= {"drain.delay", "drain.time", "metrics.token", "shared.url", "shared.secret"}
    assert named <= DECLARED.keys()
    variables = {word for word in WORDS if word.startswith("FAIRLEAD_")}
    assert find_unknown_variables(dict.fromkeys(variables, "x")) == []


def test_endpoints_are_there():
    """Each path, with its verb."""
    named = {word for word in WORDS if re.fullmatch(r"(?:POST )?/[a-z/]+", word)}
    assert {"/livez", "/readyz", "/health", "/metrics", "POST /admin/stop"} <= named
    for word in named:
        verb, path = word.split() if " " in word else ("GET", word)
        assert ENDPOINTS.match(path).endpoint(verb) is not None, word


def test_metrics_are_there():
    """Each name is one that /metrics has."""
    source = Path(metrics_api.__file__).read_text("utf-8")
    named = {word for word in WORDS if re.match(r"(?:fairlead|gen_ai)_", word)}
    assert len(named) >= 6
    assert {name for name in named if f'"{name}"' not in source} == set()


def test_figures_are_those_of_the_program():
    """Defaults and limits that the page gives."""
    delay, time = (format_default(DECLARED[f"drain.{name}"]) for name in ("delay", "time"))
    assert f"`drain.delay` (default {delay.removesuffix('s')})" in TEXT
    assert f"`drain.time` (default {time[:-1]} s, at most {DRAIN_LIMIT:g} s)" in TEXT
    assert f"at least {own_secrets.LEAST} characters" in TEXT
    assert f"`history.max_size` (default {format_default(DECLARED['history.max_size'])} MB)" in TEXT


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_links_lead_somewhere(link):
    """To files beside the page."""
    assert (PAGE.parent / link).is_file()


def test_commands_are_there():
    """Each command that the page names."""
    named = {word.split()[1] for word in WORDS if re.match(r"fairlead [a-z]", word)}
    assert named
    assert named <= set(COMMANDS)
