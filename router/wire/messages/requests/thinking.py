"""Asks a model for its thinking, as far as the model and the rest of the request allow."""

from typing import cast

from router.ir import Reasoning, Request
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import Claude, find_claude
from router.wire.openai import find_nearest_effort
from router.wire.raw.json.json_values import Json

_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
_LEAST_BUDGET = 1024
DISABLED: Json = {"type": "disabled"}


def put_reasoning(body: Json, request: Request, claude: Claude, ctx: Context) -> None:
    """Put the fields for thinking into a body that has its messages and its output limit."""
    wanted = request.reasoning
    if wanted is not None and (wanted.off or wanted.effort == "none"):
        _turn_off(body, claude, ctx)
    elif claude.thinks and not _has_restorable_reasoning(body):
        # The server refuses a tool round whose thinking is lost, unless thinking is off.
        if wanted is not None and (wanted.effort or wanted.budget):
            ctx.note_dropped(ctx.caller_path("reasoning"))
        body["thinking"] = DISABLED
    elif wanted is None:
        return
    elif claude.adaptive:
        _put_effort(body, wanted, claude, ctx, forced=_forces_call(request))
    elif wanted.effort or wanted.budget:
        _put_budget(body, wanted, claude, ctx, forced=_forces_call(request))


def turn_off(model: str) -> Json:
    """The fields, by dotted path, that turn a model's thinking off, or down as far as it goes."""
    off = find_claude(model).off
    return {"output_config.effort": "low"} if off == "effort" else {"thinking": {"type": off}}


def _forces_call(request: Request) -> bool:
    return request.choice is not None and request.choice.mode in ("any", "tool")


def _turn_off(body: Json, claude: Claude, ctx: Context) -> None:
    if claude.off != "effort":
        body["thinking"] = {"type": claude.off}
        return
    ctx.note_weakened(ctx.caller_path("reasoning"))
    body["output_config"] = {"effort": "low"}


def _put_effort(body: Json, wanted: Reasoning, claude: Claude, ctx: Context, *, forced: bool) -> None:
    path = ctx.caller_path("reasoning")
    if wanted.effort:
        effort = "low" if wanted.effort == "minimal" else wanted.effort
        efforts = claude.efforts if ctx.efforts is None else ctx.efforts
        if effort not in efforts:
            effort = find_nearest_effort(effort, efforts)
        if effort != wanted.effort:
            ctx.note_weakened(path)
        if effort:
            body["output_config"] = {"effort": effort}
    if forced and claude.forced == "without thinking":
        # The effort stays: it applies to text and calls too.
        (ctx.note_weakened if wanted.effort else ctx.note_dropped)(path)
        return
    body["thinking"] = {"type": "adaptive", "display": "summarized"} if wanted.shown else {"type": "adaptive"}


def _put_budget(body: Json, wanted: Reasoning, claude: Claude, ctx: Context, *, forced: bool) -> None:
    ctx.note_weakened(ctx.caller_path("reasoning"))
    budget = min(wanted.budget or _BUDGETS.get(wanted.effort, 8192), cast("int", body["max_tokens"]) - 1)
    if forced and claude.forced != "always":
        return
    if budget >= _LEAST_BUDGET and _has_restorable_reasoning(body):
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _has_restorable_reasoning(body: Json) -> bool:
    """False in a tool round whose reasoning was lost: with thinking on, the API requires it."""
    for message in reversed(cast("list[Json]", body["messages"])):
        if message["role"] == "assistant":
            kinds = [block["type"] for block in cast("list[Json]", message["content"])]
            return "tool_use" not in kinds or kinds[0] in ("thinking", "redacted_thinking")
    return True
