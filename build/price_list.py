"""Makes the shipped prices anew: `pip install '.[test]' && python build/price_list.py`.

They are the data of the genai-prices that is installed, without what fairlead does not ask for (how answers tell their
usage, descriptions, links). The library itself would bring pydantic and an HTTP client into the proxy, 23 MB of memory.
Its data are under the MIT licence; router/policy/facts/LICENSES.txt has the text.
"""

import base64
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from itertools import product
from typing import Any

import msgspec
from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Provider, TieredPrices
from genai_prices.units import UnitRegistry
from genai_prices.validation import validate_model_price
from naming import ROOT, BuildError

TARGET = ROOT / "router" / "policy" / "budget" / "price_data.py"
#: Bytes that the data may have when compressed.
LIMIT = 80 * 1024
_CLAUSES = {
    "equals": "=",
    "starts_with": "^",
    "ends_with": "$",
    "contains": "*",
    "regex": "~",
    "or_": "|",
    "and_": "&",
}
_JOINING = ("or_", "and_")
_REGISTRY = UnitRegistry(unit_data)


def main() -> int:
    """Write the module; 0 when it was written."""
    try:
        text = write_module()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    TARGET.write_text(text, "utf-8", newline="\n")
    return 0


def write_module() -> str:
    """The source of the module. Raises BuildError for data that the proxy could not read, or that are too large."""
    parts = {
        "HEAD": {
            "source": f"genai-prices {version('genai-prices')}",
            "days": sorted({day.isoformat() for day in _list_days(providers)}),
            "units": {unit.price_key: [key, unit.per, dict(unit.dimensions)] for key, unit in _REGISTRY.units.items()},
            "providers": [[one.id, one.api_pattern, one.fallback_model_providers or []] for one in providers],
        },
        **{one.id: [_write_model(model) for model in one.models] for one in providers},
    }
    packed = {name: zlib.compress(msgspec.json.encode(part), 9) for name, part in parts.items()}
    size = sum(map(len, packed.values()))
    if size > LIMIT:
        raise BuildError(f"the prices have {size} bytes; {LIMIT} are allowed")
    return "\n".join(_list_lines(packed)) + "\n"


def _list_days(found: Iterable[Provider]) -> Iterator[date]:
    """The days on which a price of a model begins."""
    for provider in found:
        for model in provider.models:
            for entry in model.prices if isinstance(model.prices, list) else ():
                begun = getattr(entry.constraint, "start_date", None)
                if begun is not None:
                    yield begun


def _write_model(model: ModelInfo) -> list[Any]:
    dated = model.prices if isinstance(model.prices, list) else None
    prices = [[_write_constraint(one.constraint), _write_price(one.prices)] for one in dated or ()]
    if isinstance(model.prices, ModelPrice):
        prices = [[None, _write_price(model.prices)]]
    variants = [_write_variant(one) for one in model.price_variants or ()]
    _check(model)
    return [model.id, _write_clause(model.match), prices, *([variants] if variants else [])]


def _write_variant(variant: PriceVariant) -> list[Any]:
    return [variant.when, _write_constraint(variant.constraint), _write_price(variant.prices)]


def _write_clause(clause: Any) -> list[Any]:
    """[sign, word] or [sign, clauses]; words in lower case, as names are when they are compared."""
    for field, sign in _CLAUSES.items():
        word = getattr(clause, field, None)
        if field in _JOINING and word is not None:
            return [sign, [_write_clause(one) for one in word]]
        if word is not None:
            return [sign, word if field == "regex" else word.lower()]
    raise BuildError(f"a clause of an unknown kind: {clause}")


def _write_constraint(constraint: Any) -> Any:
    """None, a day, or the beginning and end of a time of the day in UTC."""
    if constraint is None:
        return None
    if hasattr(constraint, "start_date"):
        return constraint.start_date.isoformat()
    ends: list[time] = [constraint.start_time, constraint.end_time]
    if any(one.utcoffset() for one in ends):
        raise BuildError(f"{constraint} is not in UTC")
    return [one.replace(tzinfo=None).isoformat() for one in ends]


def _write_price(price: ModelPrice) -> dict[str, Any]:
    values: Mapping[str, Decimal | TieredPrices | None] = vars(price)
    return {key: _write_rate(value) for key, value in values.items() if value is not None}


def _write_rate(rate: Decimal | TieredPrices) -> Any:
    if isinstance(rate, TieredPrices):
        return [str(rate.base), [[step.start, str(step.price)] for step in rate.tiers]]
    return str(rate)


def _check(model: ModelInfo) -> None:
    """Raise BuildError for a set of prices that the library would refuse to add up: the proxy does not check that."""
    days = [datetime.combine(day, time(12)) for day in (date.min, date.max)]
    variants = model.price_variants or []
    contexts = [None, *(one.when for one in variants)]
    for at, context in product(days, contexts):
        keys = {key for key, value in vars(model.get_prices(at, context)).items() if value is not None}
        try:
            validate_model_price(keys, _REGISTRY)
        except ValueError as error:
            raise BuildError(f"{model.id}: {error}") from None


def _list_lines(packed: Mapping[str, bytes]) -> Iterator[str]:
    yield '"""The shipped prices, compressed; build/price_list.py writes this file, price_list.py reads it.'
    yield ""
    yield f"Made of genai-prices {version('genai-prices')}, under the MIT licence: see ../facts/LICENSES.txt."
    yield '"""'
    yield ""
    yield "# ruff: noqa: E501"
    yield ""
    yield "#: Provider -> its models, and HEAD -> what is of all: JSON, compressed by zlib, in base 85."
    yield "PARTS = {"
    for name, part in packed.items():
        yield f'    "{name}": "{base64.b85encode(part).decode("ascii")}",'
    yield "}"


if __name__ == "__main__":
    sys.exit(main())
