"""What is known of a model, in words for people."""

from collections.abc import Mapping

from router.policy.facts.model_facts import Fact, KnownFacts

#: Facts that are shown, in order, and how.
_SHOWN: Mapping[str, str] = {
    "window": "{:,} window",
    "max_input": "{:,} in",
    "max_output": "{:,} out",
    "price_tier_at": "costs more above {:,}",
    "modalities": "{}",
    "efforts": "effort {}",
    "cache_lifetimes": "cache {}",
    "cache_kept": "cache still there after {}",
    "cache_dropped": "cache gone after {}",
}
_SECONDS = ("cache_kept", "cache_dropped")
#: The window of a model of a local server that is not loaded.
UNLOADED = "window unknown until loaded"


def describe_limits(found: KnownFacts) -> str:
    """The window and the most output, as `200,000 window, 64,000 out`; '' when neither is known."""
    shown = [_format(name, fact) for name in ("window", "max_input", "max_output") if (fact := found.origin_of(name))]
    return ", ".join([*([UNLOADED] if found.unloaded else []), *shown])


def describe_facts(found: KnownFacts) -> str:
    """All facts by source: `200,000 in (learned from an error 2026-11-28); 64,000 out (shipped table 2026-11-20)`."""
    groups: dict[str, list[str]] = {}
    if found.unloaded:
        trained = found.facts.trained_window
        groups.setdefault("", []).append(f"{UNLOADED} (trained for {trained:,})")
    for name in _SHOWN:
        fact = found.origin_of(name)
        if fact is not None:
            groups.setdefault(format_origin(fact), []).append(_format(name, fact))
    return "; ".join(", ".join(texts) + (f" ({origin})" if origin else "") for origin, texts in groups.items())


def describe_end(found: KnownFacts) -> str:
    """That a model ends, or is advised against, and what to use in its place; '' for others."""
    facts = found.facts
    if not facts.retires and not facts.deprecated:
        return ""
    text = f"ends {facts.retires}" if facts.retires else "deprecated"
    if facts.successor:
        text += f", its successor is {facts.successor}"
    origin = found.origin_of("retires") or found.origin_of("deprecated")
    return f"{text} ({format_origin(origin)})" if origin is not None else text


def format_origin(fact: Fact) -> str:
    """The source of a fact and its date."""
    return f"{fact.source} {fact.date}".rstrip()


def _format(name: str, fact: Fact) -> str:
    value = fact.value
    if isinstance(value, tuple):
        words = [_format_seconds(one) if isinstance(one, int) else one for one in value]
        value = (" or " if name == "cache_lifetimes" else "+").join(words) or "none"
    elif name in _SECONDS and isinstance(value, int):
        value = _format_seconds(value)
    return _SHOWN[name].format(value)


def _format_seconds(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds // 60} min"
