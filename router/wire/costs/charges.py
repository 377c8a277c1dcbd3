"""What a provider says that a request was charged, read from the usage object of its answer.

Only where its documentation says so (Profile.charge): elsewhere a field of that name may mean anything. OpenRouter
reports `cost` in credits, which are US dollars, and with a key of the user's own (`is_byok`) also what the provider
behind it charged to that key (https://openrouter.ai/docs/use-cases/usage-accounting). Perplexity reports an object
with the total and its currency. xAI reports `cost_in_usd_ticks`, 10^10 for a dollar
(https://docs.x.ai/developers/cost-tracking).
"""

from router.backends.profile import Profile
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_DOLLAR = 10**9
# More than any request costs: a number that is no charge counts as none.
_MOST = 10**6 * _DOLLAR


def read_charge(found: Json, known: int | None, profile: Profile) -> int | None:
    """The charge in billionths of a US dollar; `known` when the usage object has none."""
    charge: int | None = None
    if profile.charge == "cost":
        own = found.get("is_byok") is True
        behind = json_values.get_object(found, "cost_details").get("upstream_inference_cost") if own else 0
        charge = _convert(found.get("cost"), _DOLLAR)
        charge = None if charge is None else charge + (_convert(behind, _DOLLAR) or 0)
    elif profile.charge == "cost.total_cost":
        cost = json_values.get_object(found, "cost")
        charge = _convert(cost.get("total_cost"), _DOLLAR) if cost.get("currency", "USD") == "USD" else None
    elif profile.charge == "cost_in_usd_ticks":
        charge = _convert(found.get("cost_in_usd_ticks"), 0.1)
    return known if charge is None else charge


def _convert(value: object, unit: float) -> int | None:
    """A number of this unit in billionths of a US dollar; None for anything that is no charge."""
    # Compared before it is multiplied: an integer may be too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST / unit:
        return None
    return round(value * unit)
