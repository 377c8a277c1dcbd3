"""What an answer costs beside its plain tokens: web and file searches, sound, pictures, another service tier.

The library has prices for searches and for tokens of sound and pictures of many models, and for service tiers, speeds
and processing in batches as variants of a model's price. Where it has none for a search, the price below is used, which
the vendors publish for all their models. A tier without a price of its own counts as the usual one, which is too much
for those that are cheaper; for others the source says so (WITHOUT).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.ir import Extras
from router.policy.budget.budgets import TokenCounts
from router.wire.costs.extras import CHEAPER

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

#: Before the parts of an answer, in its source, that have no price.
WITHOUT = ", without "
#: Billionths of a US dollar for a search: 10 dollars for 1,000 searches of the web, 2.50 for 1,000 of stored files, in
#: November 2026 (https://platform.claude.com/docs/en/about-claude/pricing#web-search-tool,
#: https://platform.openai.com/docs/pricing).
SEARCH, LOOKUP = 10_000_000, 2_500_000
# The names by which the library's variants of a price ask for a tier.
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
    provider: "Provider", model: "ModelInfo", tokens: TokenCounts, at: float, extras: Extras, source: str
) -> tuple[int | None, str]:
    """Billionths of a US dollar by the library, and the source with what has no price; (None, "") when it is unknown.
    at: seconds since 1970."""
    when = datetime.fromtimestamp(at, UTC)
    context: dict[str, str] = dict.fromkeys(_CONTEXT, extras.tier) if extras.tier else {}
    price = model.get_prices(when, context or None)
    cost = sum_by_library(provider, model, tokens, when, extras, context)
    if cost is None:
        return None, ""
    missing = [extras.uncounted]
    if extras.searches and price.web_searches_kcount is None:
        cost += extras.searches * SEARCH
    if extras.lookups and price.storage_searches_kcount is None:
        cost += extras.lookups * LOOKUP
    if extras.tier and extras.tier not in CHEAPER and not _has_tier(model, extras.tier):
        missing.append(f"the service tier {extras.tier}")
    if (extras.input_audio and price.input_audio_mtok is None) or (
        extras.output_audio and price.output_audio_mtok is None
    ):
        missing.append("the price of sound")
    if extras.output_image and price.output_image_mtok is None:
        missing.append("the price of pictures")
    return cost, _name_missing(source, missing)


def _has_tier(model: "ModelInfo", tier: str) -> bool:
    return any(tier in variant.when.values() for variant in model.price_variants or ())


def _name_missing(source: str, missing: list[str]) -> str:
    named = [part for part in missing if part]
    return source + (WITHOUT + " and ".join(named) if named else "")


def sum_by_library(
    provider: "Provider",
    model: "ModelInfo",
    tokens: TokenCounts,
    at: datetime,
    extras: Extras | None = None,
    context: Any = None,
) -> int | None:
    """The library's own sum in billionths of a US dollar; None when it has no price for one of the counts."""
    from genai_prices import Usage

    read, more = tokens.tokens - tokens.output, extras or Extras()
    sound = min(more.output_audio, tokens.output)
    usage = Usage(
        input_tokens=read,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write + tokens.cache_write_1h,
        cache_write_1h_tokens=tokens.cache_write_1h,
        input_audio_tokens=min(more.input_audio, tokens.input),
        output_audio_tokens=sound,
        output_image_tokens=min(more.output_image, tokens.output - sound),
        web_searches=more.searches,
        storage_searches=more.lookups,
    )
    try:
        total = model.calc_price(usage, provider, genai_request_timestamp=at, price_context=context or None).total_price
    except (LookupError, ValueError):
        return None
    return round(total * _DOLLAR)
