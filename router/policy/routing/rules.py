"""Rules of `[[routes]]`, prepared for many requests: each condition is a test with the words for its failure.

A glob knows `*` and `?`. Brackets are plain characters, since models have them in their names (`[1m]`).
"""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from router.ir import RoutingFacts
from router.policy.routing.clients import NAMES
from router.policy.routing.request_traits import RequestTraits
from router.settings.tables import Condition, Edits, Rule

#: The table of backends that run a tool for requests to others.
SERVER_TOOLS = "server_tools"
Test = Callable[[str, RoutingFacts, RequestTraits], bool]


@dataclass(frozen=True, slots=True)
class PreparedRule:
    """A rule and its tests."""

    rule: Rule
    #: The rule's, None when it changes nothing.
    edits: Edits | None
    #: The cheap ones first; each with what it needs, in words.
    tests: Sequence[tuple[Test, str]]
    #: It needs RequestTraits.
    asks: bool

    @property
    def looks_inside(self) -> bool:
        """True when it asks for what is inside the body."""
        when = self.rule.when
        asked = (when.tools, when.thinking, when.images, when.tokens_over, when.tokens_under)
        return bool(when.server_tool) or any(wanted is not None for wanted in asked)

    def unmet(self, model: str, facts: RoutingFacts, traits: RequestTraits) -> str | None:
        """What the request lacks, in words; None when the rule applies."""
        for test, needs in self.tests:
            if not test(model, facts, traits):
                return needs
        return None


def prepare_rule(rule: Rule) -> PreparedRule:
    """The rule with its conditions as tests."""
    plain = _build_plain_tests(rule.when)
    costly = _build_costly_tests(rule.when)
    return PreparedRule(rule, None if rule.edits == Edits() else rule.edits, (*plain, *costly), bool(costly))


def build_server_tool_rules(targets: Mapping[str, str]) -> list[Rule]:
    """The rules for the table `server_tools`. They come before the user's own, which know less of the request."""
    rules: list[Rule] = []
    for tool, target in targets.items():
        backend, _, model = target.partition(":")
        when = Condition(server_tool=tool)
        rules.append(Rule(name=f"{SERVER_TOOLS}.{tool}", when=when, backend=backend, model=model))
    return rules


def compile_glob(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression for whole names, without regard to case."""
    # The expression that fnmatch makes never backtracks into a star, however many there are.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")), re.IGNORECASE)


def _build_plain_tests(when: Condition) -> list[tuple[Test, str]]:
    tests: list[tuple[Test, str]] = []
    if when.protocol:
        tests.append((lambda _, facts, __: facts.protocol == when.protocol, f"needs protocol {when.protocol}"))
    if when.model:
        matches = compile_glob(when.model).match
        tests.append((lambda model, _, __: matches(model) is not None, f"needs model {when.model}"))
    return tests


def _build_costly_tests(when: Condition) -> list[tuple[Test, str]]:
    tests: list[tuple[Test, str]] = []
    if when.client:
        client = when.client.lower()
        known = "" if client in NAMES else f" (known are {', '.join(NAMES)})"
        tests.append((lambda _, __, traits: traits.client == client, f"needs client {client}{known}"))
    if when.request_class:
        tests.append(
            (lambda _, __, traits: traits.request_class == when.request_class, f"needs class {when.request_class}")
        )
    over, under = when.tokens_over, when.tokens_under
    if over is not None:
        tests.append((lambda _, __, traits: traits.tokens > over, f"needs > {_format_count(over)} tokens"))
    if under is not None:
        tests.append((lambda _, __, traits: traits.tokens < under, f"needs < {_format_count(under)} tokens"))
    if when.tools is not None:
        tests.append((lambda _, __, traits: traits.tools is when.tools, _describe_presence("tools", when.tools)))
    if when.server_tool:
        tool = when.server_tool
        tests.append((lambda _, __, traits: traits.server_tool == tool, f"needs {tool} as its only tool"))
    if when.thinking is not None:
        tests.append(
            (lambda _, __, traits: traits.thinking is when.thinking, _describe_presence("thinking", when.thinking))
        )
    if when.images is not None:
        tests.append((lambda _, __, traits: traits.images is when.images, _describe_presence("images", when.images)))
    return tests


def _describe_presence(what: str, wanted: bool) -> str:
    return f"needs {what}" if wanted else f"needs a request without {what}"


def _format_count(number: int) -> str:
    return f"{number // 1000}k" if number and number % 1000 == 0 else f"{number:,}"
