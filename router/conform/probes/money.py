"""What is billed: whether the counts of tokens can be right, and a price is known."""

from router.conform.bench import MOST_OUTPUT, Bench, read_usage
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, is_answer, judge_each, list_spoken
from router.conform.record import Finding, Unknown

_WORDS = (
    *("river", "stone", "window", "garden", "copper", "silver", "forest", "bridge", "candle", "winter", "summer"),
    *("morning", "evening", "harbour", "mountain", "village", "letter", "number", "colour", "music", "paper", "bread"),
)
_TEXT = f"Say ok. Pay no attention to these words: {' '.join(_WORDS)}."
#: Each word is a token at least; with its frame no tokeniser makes ten of one.
_LEAST, _MOST = len(_WORDS), 10 * len(_WORDS) + 400


async def _check_usage(bench: Bench) -> Finding:
    said: dict[str, str] = {}
    for name in list_spoken(bench, ANY):
        reply = await bench.ask(name, bench.make_request(name, _TEXT, output=MOST_OUTPUT))
        if not is_answer(reply, name):
            raise Unknown(reply.describe())
        usage = read_usage(reply, name, bench.profile)
        if usage is None:
            said[name] = "no usage"
            continue
        counted = (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
        said[name] = ""
        if not _LEAST <= counted <= _MOST:
            said[name] = f"{counted} input tokens for {len(_TEXT.split())} words"
        elif not usage.output:
            said[name] = "no output tokens for an answer"
    return judge_each(said, "the counts fit what was sent")


async def _check_price(bench: Bench) -> Finding:
    if bench.budget.source:
        return Finding("yes", bench.budget.source)
    if bench.budget.is_priced:
        return Finding("yes", "nobody bills its tokens")
    return Finding("no", f"set one: fairlead config set prices.{bench.model}.input USD")


GROUP = Group(
    "money",
    (
        Probe("money.usage", "the usage fits what was sent", _check_usage),
        Probe("money.price", "the price of the model is known", _check_price),
    ),
)
