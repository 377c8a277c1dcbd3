"""Accounts that the guard has halted, and how much of their budgets is taken."""

from collections.abc import Iterable, Mapping

from router.budget.guard import Guard
from router.policy.budget.guard import explain_used_up


def halted_accounts(guard: Guard, backend: str, aliases: Iterable[str]) -> Mapping[str, tuple[str, float]]:
    """The halted accounts of a backend, by alias: why, and until when (seconds since 1970)."""
    found = ((alias, _find_halt(guard, f"account {backend}/{alias}")) for alias in aliases)
    return {alias: one for alias, one in found if one is not None}


def taken_share(guard: Guard, backend: str, alias: str) -> float:
    """The share of an account's fullest budget that is spent or reserved."""
    return max((state.used_share for state in guard.budget_states(f"account {backend}/{alias}")), default=0.0)


def _find_halt(guard: Guard, scope: str) -> tuple[str, float] | None:
    halt = guard.held(scope)
    if halt is not None:
        return halt.reason, halt.until
    if guard.rules is None or not guard.rules.halts:
        return None
    # The next request would trip it.
    spent = (state for state in guard.budget_states(scope) if state.spent_share >= 1)
    return next(((explain_used_up(state), state.term.end) for state in spent), None)
