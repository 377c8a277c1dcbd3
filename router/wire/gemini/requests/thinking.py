"""Asks a model for its thinking, as far as the model allows.

Since version 3 a request names a level, at 2.5 a number of tokens; both at once are refused, and no model since
version 3 can be kept from thinking (https://ai.google.dev/gemini-api/docs/thinking).
"""

from router.ir import Reasoning, Request
from router.wire.gemini.models import Budgets, GeminiModel
from router.wire.neutral.context import Context
from router.wire.openai import resolve_effort
from router.wire.raw.json.json_values import Json

_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
# As Google's OpenAI-compatible endpoint counts efforts; a model that thinks less gets its most.
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}


def encode_thinking(request: Request, model: GeminiModel, ctx: Context) -> Json:
    """The value of `thinkingConfig`; {} to leave it out."""
    wanted = request.reasoning
    if wanted is None:
        return {}
    levels = _find_levels(model, ctx)
    found: Json = {}
    if model.budgets is not None:
        budget = _choose_budget(wanted, model.budgets, ctx)
        if budget is not None:
            found["thinkingBudget"] = budget
    elif levels:
        level = _choose_level(resolve_effort(request), wanted, levels, ctx)
        if level:
            found["thinkingLevel"] = level.upper()
    else:
        if wanted != Reasoning():
            ctx.note_dropped(ctx.caller_path("reasoning"))
        return {}
    if wanted.shown and not _is_off(wanted):
        found["includeThoughts"] = True
    return found


def _is_off(wanted: Reasoning) -> bool:
    return wanted.off or wanted.effort == "none"


def _find_levels(model: GeminiModel, ctx: Context) -> tuple[str, ...]:
    """The levels of a model, the weakest first: those of its name, less what is known not to be taken; where the name
    says nothing, those that are known."""
    if ctx.efforts is None or not model.levels:
        return model.levels
    known = tuple(effort for effort in _EFFORTS[:-1] if effort in ctx.efforts)
    if not model.named or not ctx.efforts:
        return known
    return tuple(level for level in model.levels if level in known) or model.levels


def _choose_level(effort: str, wanted: Reasoning, levels: tuple[str, ...], ctx: Context) -> str:
    """The level for an effort: itself, else the next stronger one, else the strongest; '' for none."""
    if not effort:
        return ""
    at = -1 if effort == "none" else _EFFORTS.index(effort) if effort in _EFFORTS else _EFFORTS.index("medium")
    found = next((level for level in levels if _EFFORTS.index(level) >= at), levels[-1])
    if found != effort or (wanted.budget and not wanted.effort):
        ctx.note_weakened(ctx.caller_path("reasoning"))
    return found


def _choose_budget(wanted: Reasoning, budgets: Budgets, ctx: Context) -> int | None:
    """The number of tokens to think; None where the request does not say."""
    if _is_off(wanted):
        if budgets.off:
            ctx.note_weakened(ctx.caller_path("reasoning"))
        return budgets.off
    asked = wanted.budget or (_BUDGETS.get(wanted.effort, _BUDGETS["medium"]) if wanted.effort else 0)
    if not asked:
        return None
    found = max(budgets.least, min(asked, budgets.most))
    if found != asked:
        ctx.note_weakened(ctx.caller_path("reasoning"))
    return found
