"""What the settings of the web search are made of: the providers, an address of one, and its price."""

from router.backends.known import clean_url, find_risk
from router.settings.kinds import Dollars, Kind, Money, choice

PROVIDERS = ("brave", "tavily", "exa", "perplexity", "searxng")
PROVIDER = choice(*PROVIDERS)


def _parse_address(text: str) -> str:
    cleaned = clean_url(text)
    if find_risk(cleaned):
        raise ValueError
    return cleaned


def _parse_price(text: str) -> Dollars:
    return Dollars(PRICE.parse_value(float(text)))


ADDRESS = Kind(
    "an https:// address, or an http:// address of this machine or a private network", "text", _parse_address
)
PRICE = Money("US dollars for 1,000 searches, from 0 to 999999, such as 5", "number", _parse_price)
