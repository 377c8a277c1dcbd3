"""What an answer costs beside its plain tokens: web and file searches, sound, pictures, another service tier.

The shipped list has prices for searches and for tokens of sound and pictures of many models, and for service tiers,
speeds and processing in batches as variants of a model's price. Where it has none for a search, the price below is
used, which the vendors publish for all their models. A tier without a price of its own counts as the usual one, which
is too much for those that are cheaper; for others the source says so (WITHOUT).
"""

from datetime import UTC, datetime

from router.ir import Extras
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.price_list import Model, Price, Provider, sum_up
from router.wire.costs.extras import CHEAPER

#: Before the parts of an answer, in its source, that have no price.
WITHOUT = ", without "
#: Billionths of a US dollar for a search: 10 dollars for 1,000 searches of the web, 2.50 for 1,000 of stored files, in
#: November 2026 (https://platform.claude.com/docs/en/about-claude/pricing#web-search-tool,
#: https://platform.openai.com/docs/pricing).
SEARCH, LOOKUP = 10_000_000, 2_500_000
# The names by which the list's variants of a price ask for a tier.
_CONTEXT = ("service_tier", "speed", "processing")
_DOLLAR = 10**9


def is_beyond_rates(extras: Extras | None) -> bool:
    """True when more was used than tokens and web searches, so that rates by token do not tell the cost."""
    return extras is not None and bool(
        extras.lookups or extras.input_audio or extras.output_audio or extras.output_image
    )


def add_tools(cost: int, source: str, extras: Extras | None) -> tuple[int, str]:
    """A cost by the user's own price, which holds for every tier, with the searches; and its source."""
    if extras is None:
        return cost, source
    return cost + extras.searches * SEARCH + extras.lookups * LOOKUP, _name_missing(source, [extras.uncounted])


def price_with_extras(
    provider: Provider, model: Model, tokens: TokenCounts, at: float, extras: Extras, source: str
) -> tuple[int | None, str]:
    """Billionths of a US dollar by the list, and the source with what has no price; (None, "") when it is unknown.
    at: seconds since 1970."""
    context: dict[str, str] = dict.fromkeys(_CONTEXT, extras.tier) if extras.tier else {}
    when = datetime.fromtimestamp(at, UTC)
    price = model.find_price(when, context)
    # The variants of a model hold where its own provider sells it.
    cost = sum_by_list(price if provider.sells(model) else model.find_price(when), tokens, extras)
    if cost is None:
        return None, ""
    missing = [extras.uncounted]
    if extras.searches and "web_searches_kcount" not in price:
        cost += extras.searches * SEARCH
    if extras.lookups and "storage_searches_kcount" not in price:
        cost += extras.lookups * LOOKUP
    if extras.tier and extras.tier not in CHEAPER and not _has_tier(model, extras.tier):
        missing.append(f"the service tier {extras.tier}")
    if (extras.input_audio and "input_audio_mtok" not in price) or (
        extras.output_audio and "output_audio_mtok" not in price
    ):
        missing.append("the price of sound")
    if extras.output_image and "output_image_mtok" not in price:
        missing.append("the price of pictures")
    return cost, _name_missing(source, missing)


def _has_tier(model: Model, tier: str) -> bool:
    return any(tier in variant.when.values() for variant in model.variants)


def _name_missing(source: str, missing: list[str]) -> str:
    named = [part for part in missing if part]
    return source + (WITHOUT + " and ".join(named) if named else "")


def sum_by_list(price: Price, tokens: TokenCounts, extras: Extras | None = None) -> int | None:
    """The sum by the list in billionths of a US dollar; None when it has no price for one of the counts."""
    read, more = tokens.tokens - tokens.output, extras or Extras()
    sound = min(more.output_audio, tokens.output)
    counts = {
        "input_tokens": read,
        "output_tokens": tokens.output,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write + tokens.cache_write_1h,
        "cache_write_1h_tokens": tokens.cache_write_1h,
        "input_audio_tokens": min(more.input_audio, tokens.input),
        "output_audio_tokens": sound,
        "output_image_tokens": min(more.output_image, tokens.output - sound),
        "web_searches": more.searches,
        "storage_searches": more.lookups,
    }
    total = sum_up(price, counts)
    return None if total is None else round(total * _DOLLAR)
