"""What happened to a request as Markdown, to paste into an issue: made of its shaped capture, so that neither content
nor names are in it, and refused where anything private is found in it."""

from collections.abc import Sequence

from router.cli.common.layout import format_table
from router.cli.common.output import format_count
from router.cli.repro.timings import make_rows, read_answer, read_captured
from router.errors import CommandError
from router.net.control.request import Answer
from router.operator_api.explain import Explanation
from router.replay.meaning import Meaning
from router.replay.run import expected
from router.repro.make import Maker, Refused, check_private
from router.settings.kinds import clean
from router.store.captures.format import Capture, ExchangeLine, ReproLine
from router.watch.amounts import format_seconds

Rows = Sequence[tuple[str, str]]
#: Bytes of the largest repro that stands in the text; issue trackers take about twice as much.
EMBEDDED = 30_000
_SHOWN = 400


def write_repro(capture: Capture, made: Capture, data: bytes) -> str:
    """The text about a repro, with the repro itself where it is small and holds no content. data: the repro as it is
    written. Raises CommandError, TooDeep."""
    repro = made.repro or ReproLine()
    shaped = Maker(capture, "shape").make() if repro.bodies == "full" else made
    text = _format([*describe(shaped), ("reproduces", repro.reproduces)])
    if repro.bodies == "full":
        return _check(f"{text}\nThe repro holds all that was said, and is not in this text.\n")
    if len(data) > EMBEDDED:
        return _check(f"{text}\nThe repro has {len(data):,} bytes, and is attached.\n")
    lines = data.decode().rstrip("\n")
    return _check(
        f"{text}\nTo run it, save the lines below as `a.jsonl` in an empty folder: "
        f"`fairlead demo --replay FOLDER`\n\n<details><summary>The repro, {len(data):,} bytes</summary>\n\n"
        f"```json\n{lines}\n```\n\n</details>\n"
    )


def write_replay(
    capture: Capture, plan: Explanation, answers: tuple[Meaning, Meaning, Answer] | None, times: bool
) -> str:
    """The text about a replay: what was captured, what it would become or became, and in what the answers differ, by
    kind alone. Raises CommandError, Refused, TooDeep."""
    maker = Maker(capture, "shape")
    shaped = maker.make()
    rows = [("protocol", plan.protocol), ("model", maker.shape_model(plan.sent_model or ""))]
    rows.append(("translation", plan.translation.replace("->", " -> ") or "none"))
    rows.append(("lost", ", ".join(map(maker.shape_path, plan.losses)) or "nothing"))
    if plan.status:
        rows.append(("refused", f"{plan.status}: {maker.shape_error(plan.error)}"))
    if answers is not None:
        before, after, got = answers
        rows.append(("answer", str(got.status)))
        rows += _describe_differences(before, after) or [("answers", "say the same")]
    text = _format(describe(shaped), "As it was captured") + "\n" + _format(rows, "At another backend")
    if times:
        header, table = make_rows(read_captured(shaped), None if answers is None else read_answer(answers[2]))
        text += "\n" + _fence(format_table(table, header=header, right=(1, 2)))
    return _check(text)


def describe(made: Capture) -> list[tuple[str, str]]:
    """What a shaped capture tells, in rows."""
    meta, decision = made.meta, made.meta.decision
    rows = [
        ("fairlead", meta.version or "not known"),
        ("client", meta.client or "not known"),
        ("request", "   ".join(part for part in (meta.protocol, meta.model, "stream" if meta.stream else "") if part)),
    ]
    if decision is not None:
        vendor = decision.vendor or "no known provider"
        rows.append(("backend", f"{decision.backend}   {vendor}   {', '.join(decision.protocols)}"))
        rows.append(("translation", decision.translation.replace("->", " -> ") or "none"))
    rows.append(("ended", expected(made).format()))
    if meta.text:
        rows.append(("message", meta.text))
    first = "" if meta.first_byte_ms is None else f"first byte after {format_seconds(meta.first_byte_ms)}"
    times = (first, f"end after {format_seconds(meta.total_ms)}", format_count(meta.attempts, "attempt"))
    if cut := made.list_cut():
        rows.append(("cut", f"only the beginning is captured of {', '.join(cut)}"))
    rows.append(("times", "   ".join(part for part in times if part)))
    return rows + [(f"exchange {number}", _format_exchange(one)) for number, one in enumerate(made.exchanges, 1)]


def _format_exchange(one: ExchangeLine) -> str:
    answer = one.answer
    told = [one.backend, f"sent at {format_seconds(one.at_ms)}"]
    if answer is None:
        told.append("no answer")
    else:
        told += [str(answer.status), f"after {format_seconds(answer.at_ms - one.at_ms)}"]
        told.append(format_count(len(answer.body.chunks), "chunk"))
    return "   ".join([*told, one.end, *([one.error] if one.error else [])])


def _describe_differences(before: Meaning, after: Meaning) -> list[tuple[str, str]]:
    """In what two answers differ, without what they say."""
    rows: list[tuple[str, str]] = []
    for name in ("error", "text"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            rows.append((name, f"was: {len(one):,} characters   now: {len(other):,} characters"))
    for name in ("stop", "tokens_in", "tokens_out"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            rows.append((name.replace("_", " "), f"was: {_show(one)}   now: {_show(other)}"))
    if before.calls != after.calls:
        rows.append(("calls", f"was: {len(before.calls)}   now: {len(after.calls)}"))
        for number, (one, other) in enumerate(zip(before.calls, after.calls, strict=False), 1):
            parts = [word for word, at in (("name", 0), ("arguments", 1)) if one[at] != other[at]]
            rows += [(f"call {number}", f"differs in {' and '.join(parts)}")] if parts else []
    return rows


def _show(value: object) -> str:
    return "none" if value in (None, "") else f"{value:,}" if isinstance(value, int) else str(value)


def _format(rows: Rows, title: str = "What happened") -> str:
    cells = [(name, clean(text, _SHOWN)) for name, text in rows]
    return f"### {title}\n\n{_fence(format_table(cells))}"


def _fence(lines: Sequence[str]) -> str:
    # No row begins with a backtick, so that none ends the block.
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _check(text: str) -> str:
    try:
        check_private(text)
    except Refused as error:
        raise CommandError(f"no Markdown was written: {error}.") from None
    return text
