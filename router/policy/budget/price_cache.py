"""What the models in use cost, as far as this process knows; prices change, so each is asked for hourly."""

from collections.abc import Mapping

from router.policy.budget.budgets import Rates
from router.policy.budget.reservations import Model

_HOUR = 3600
# The names of models come from callers, so there may be any number of them.
_LIMIT = 1000


class PriceCache:
    """Rates by model. Times are seconds since 1970."""

    def __init__(self) -> None:
        self._known: dict[Model, tuple[int, Rates | None]] = {}
        self._asked: set[Model] = set()

    @property
    def wants(self) -> bool:
        """True when rates are to be asked for."""
        return bool(self._asked)

    def ask(self, model: Model, now: float) -> bool:
        """Mark the rates of a model to be asked for; False when they are known."""
        if self.knows(model, now):
            return False
        self._asked.add(model)
        return True

    def knows(self, model: Model, now: float) -> bool:
        """True when what is known of a model is of this hour."""
        known = self._known.get(model)
        return known is not None and known[0] == int(now // _HOUR)

    def pop_asked(self) -> tuple[Model, ...]:
        """The models whose rates are to be asked for; they count as asked from here on."""
        found, self._asked = tuple(self._asked), set()
        return found

    def receive(self, rates: Mapping[Model, Rates | None], now: float) -> None:
        """Take over rates: None for a model without a price."""
        if len(self._known) > _LIMIT:
            self._known.clear()
        self._known.update({model: (int(now // _HOUR), found) for model, found in rates.items()})

    def rates(self, model: Model) -> Rates | None:
        """What is known; None for a model without a price."""
        return self._known.get(model, (0, None))[1]

    def lacks(self, model: Model) -> bool:
        """True for a model that is known to have no price."""
        return model in self._known and self._known[model][1] is None

    def forget(self) -> None:
        """Forget all rates, since the user's own prices may have changed."""
        self._known.clear()
