"""Keeps the turn state of Codex with the account that issued it.

Within one turn Codex repeats the header in which its first answer had a routing token. To another account, let alone
another vendor, the token means nothing, or another's session; so it is sent only where it came from.
"""

from router.exchange.attempt import Attempt

TURN_STATE = b"x-codex-turn-state"


def is_foreign_state(attempt: Attempt) -> bool:
    """True for a request whose turn state is not known to be of the attempt's account. It is then noted as left out."""
    context, target = attempt.context, attempt.target
    values = [value for _, name, value in context.request.lines if name == TURN_STATE]
    states = context.runtime.turn_states
    if len(values) == 1 and states.is_issued_by(values[0], target.backend.name, target.account):
        return False
    context.record.note("turn state of another account left out")
    return True


def remember_state(attempt: Attempt) -> None:
    """Remember which account issued the turn state in the head of its answer."""
    state = attempt.upstream.fields.get(TURN_STATE)
    if state is not None and attempt.plan is None:
        target = attempt.target
        attempt.context.runtime.turn_states.remember(state, target.backend.name, target.account)
