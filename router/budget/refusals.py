"""The guard's refusals, as errors with their texts."""

from collections.abc import Sequence

from router.errors import BudgetBusy, Halted
from router.policy.budget import guard as policy
from router.policy.budget.budgets import BudgetState

#: After how many seconds a client does well to repeat a request that found no room in time.
REPEAT_SECONDS = 5


def make_refusal(text: str, word: str) -> Halted:
    """The refusal with this text. word: its class in the history."""
    refusal = Halted(text)
    refusal.word = word
    return refusal


def make_busy(state: BudgetState) -> BudgetBusy:
    """The refusal of a request for which running ones leave no room."""
    reason = policy.explain_busy(state)
    busy = BudgetBusy(f"fairlead could not send this request yet: {reason}.", retry_after=REPEAT_SECONDS)
    busy.scope, busy.reason = state.budget.scope, reason
    return busy


def make_lost(problem: str | None, states: Sequence[BudgetState]) -> Halted:
    """The refusal of a request that needs more than the share of a budget that is held, while the team's other
    processes cannot be asked for more. problem: why not."""
    state = states[0]
    refusal = Halted(policy.explain_lost(state, problem or "its server does not answer"), retry_after=REPEAT_SECONDS)
    refusal.word = "budget_unreachable"
    refusal.retryable = True
    refusal.scope, refusal.reason = state.budget.scope, f"{state.budget.title} cannot be asked for"
    return refusal
