"""The routing decision by itself: no floor has one, so the figure stands alone."""

import time

COUNT = 2_000


def decisions(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of a decision in each round, and seconds to build the table it needs.

    Ten backends with 2,000 models, 20 aliases, and 20 rules none of which applies: every step has to look.
    """
    from router.backends import Backend
    from router.ir import RoutingFacts
    from router.policy.routing.request_traits import RequestTraits
    from router.policy.routing.routes import Table, decide
    from router.settings.tables import Condition, Rule

    backends = [
        Backend(name=f"b{number}", root="https://up.example/v1", protocols=("messages", "chat"), vendor="anthropic")
        for number in range(10)
    ]
    catalogs = {
        one.name: [
            f"claude-opus-{number % 9}-{number}" if number % 2 else f"org/model-{number}" for number in range(200)
        ]
        for one in backends
    }
    rules = [
        Rule(name=f"rule {number}", when=Condition(model=f"*-{number}x", tokens_over=1000 * number))
        for number in range(20)
    ]
    aliases = {f"alias-{number}": "opus" for number in range(20)}
    facts = [
        RoutingFacts("chat", model, stream=True, generates=True)
        for model in ("org/model-198", "opus", "alias-7", "unheard-of")
    ]
    taken: list[float] = []
    built: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        table = Table(backends, catalogs, {"anthropic": (r"claude-.*",)}, "b9", aliases, rules)
        built.append(time.perf_counter() - began)
        traits = RequestTraits({}, "chat", 120_000, None)
        began = time.perf_counter()
        for number in range(COUNT):
            decide(facts[number % len(facts)], table, traits)
        taken.append((time.perf_counter() - began) / COUNT)
    return taken, built
