"""`fairlead replay`: a captured request at another backend, or many through today's translation."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from router.cli.common.layout import find_width, format_table, note, print_json, say, wrap_row
from router.cli.common.output import format_count, read_settings
from router.cli.common.parser import Parser
from router.cli.common.running_proxy import proven
from router.cli.inspect.explain import ask, format_rows
from router.cli.repro.markdown import write_replay
from router.cli.repro.timings import make_rows, read_answer, read_captured
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.net.control.request import Answer, ControlError, send
from router.net.loopback import list_literal_urls
from router.operator_api.explain import Explanation, Question
from router.replay.meaning import Meaning, compare, read_meaning
from router.replay.recording import list_headers
from router.replay.retranslate import Verdict, retranslate
from router.replay.run import PATIENCE
from router.repro.make import TooDeep
from router.settings.kinds import clean
from router.store.captures.find import find_capture, list_captures, read_capture, read_folder
from router.store.captures.format import Capture
from router.store.home import client_key
from router.store.home.home import Home, open_home

REPLAY_SCHEMA = 1
_SHOWN = 400


def run(argv: list[str]) -> int:
    """Run the command; exit code 1 where something differs, or the request would be refused."""
    parser = Parser(
        "replay",
        "Show what a captured request would become at another backend; --send sends it there, and compares what both "
        "answers say. Tool calls in an answer are never executed. With --translate-only nothing is sent: captures are "
        "run through this version, and what has changed is told.",
        examples=[
            "fairlead replay - --to groq:llama-3.3-70b-versatile",
            "fairlead replay d201 --to openai:gpt-5 --send --times",
            "fairlead replay --translate-only",
        ],
    )
    parser.add_argument("id", metavar="ID|FILE", nargs="?", help="as for repro; with --translate-only also a folder")
    parser.add_argument("--to", metavar="BACKEND[:MODEL]", help="where it goes; the model is its own if none is given")
    parser.add_argument("--send", action="store_true", help="send it: this costs what such a request costs")
    parser.add_argument("--times", action="store_true", help="tell when the answer came, and how long its waits were")
    parser.add_argument("--translate-only", action="store_true", help="compare translations; all captures by default")
    parser.add_argument("--markdown", action="store_true", help="print a text to paste into an issue, without content")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    if options.translate_only:
        if options.to or options.send or options.times or options.markdown:
            raise UsageError("--translate-only sends nothing: --to, --send, --times and --markdown are not for it.")
        return _retranslate(home, options)
    if options.markdown and options.json:
        raise UsageError("--markdown prints a text, so that it does not take --json.")
    if options.id is None or options.to is None:
        raise UsageError("a captured request and --to are expected.", "See:   fairlead replay --help")
    return _replay(home, options)


# Of many, without an upstream


def _retranslate(home: Home, options: argparse.Namespace) -> int:
    found = run_async(retranslate, _collect(home, options.id))
    if options.json:
        print_json({"schema": REPLAY_SCHEMA, "captures": [one._asdict() for one in found]})
    else:
        _print_verdicts(found)
    return 1 if any(one.changes for one in found) else 0


def _collect(home: Home, name: str | None) -> Mapping[str, Capture]:
    if name is None:
        files = list_captures(home)
        if not files:
            find_capture(home, "-")  # says what to do
        return {file.name: read_capture(file) for file in files}
    if os.path.isdir(name):
        return read_folder(Path(name))
    path, capture = find_capture(home, name)
    return {path.name: capture}


def _print_verdicts(found: list[Verdict]) -> None:
    width = find_width()
    for one in found:
        if one.left_out:
            print("\n".join(wrap_row(f"  left out  {one.name}   ", clean(one.left_out, _SHOWN), width)))
        for change in one.changes:
            print("\n".join(wrap_row(f"  changed   {one.name}   ", clean(change, _SHOWN), width)))
    ran = [one for one in found if not one.left_out]
    same = sum(not one.changes for one in ran)
    say(f"{same} of {format_count(len(ran), 'capture')} as before.")


# Of one, at another backend


def _replay(home: Home, options: argparse.Namespace) -> int:
    _, capture = find_capture(home, options.id)
    question = _make_question(capture, options.to)
    answer = run_async(ask, home, question)
    if answer.found.status or not options.send:
        if options.markdown:
            _print_markdown(capture, answer.found, None, options)
        else:
            _print_plan(capture, answer.found, options)
        return 1 if answer.found.status else 0
    if not answer.source:
        raise CommandError("no proxy is running that could send it.", "Start it:   fairlead proxy")
    if not options.json and not options.markdown:
        _print_plan(capture, answer.found, options)
    got = run_async(_send, home, capture, question)
    return _print_answers(capture, answer.found, got, options)


def _make_question(capture: Capture, target: str) -> Question:
    """The request as it would be sent to another backend. Raises CommandError."""
    request = capture.request
    if request is None or request.body.cut:
        raise CommandError(f"{capture.meta.id} was not captured whole, so that it cannot be sent again.")
    try:
        body: Any = json.loads(request.body.text)
    except (ValueError, RecursionError):
        raise CommandError(f"the body of {capture.meta.id} is not JSON.") from None
    if not isinstance(body, dict):
        raise CommandError(f"the body of {capture.meta.id} is no JSON object.")
    backend, _, model = target.partition(":")
    named = f"{backend}:{model or capture.meta.sent_model or capture.meta.model}"
    members = {**cast("dict[str, Any]", body), "model": named}
    protocol = capture.meta.protocol or None
    return Question(
        body=msgspec.json.encode(members),
        protocol=protocol,
        headers=[*list_headers(capture).items()],
        tokens_in=_count_input(capture),
        tokens_out=capture.meta.tokens_out,
    )


def _count_input(capture: Capture) -> int | None:
    """The tokens of the input, those of a cache too; None where the capture does not tell both."""
    meta = capture.meta
    return None if meta.tokens_in is None or meta.tokens_cached is None else meta.tokens_in + meta.tokens_cached


def _print_plan(capture: Capture, found: Explanation, options: argparse.Namespace) -> None:
    used = "   ".join(
        f"{name} {count:,}"
        for name, count in (
            ("in", _count_input(capture) or capture.meta.tokens_in),
            ("out", capture.meta.tokens_out),
        )
        if count is not None
    )
    if options.json:
        shape = {"schema": REPLAY_SCHEMA, "id": capture.meta.id, "plan": msgspec.to_builtins(found), "answer": None}
        print_json({**shape, **_find_times(capture, None, options)})
        return
    width = find_width()
    say(f"{capture.meta.id} -> {clean(options.to)}")
    rows = [*format_rows(found), *([("tokens", f"{used} when it was captured")] if used else [])]
    for title, text in rows:
        print("\n".join(wrap_row(f"  {title:<9}  ", clean(text, 2048), width)))
    if options.times and (not options.send or found.status):
        _print_times(capture, None, width)
    if not options.send and not found.status:
        note("Nothing was sent. To send it, which costs what such a request costs, add --send.")


async def _send(home: Home, capture: Capture, question: Question) -> Answer:
    """Send the request through the running proxy. Raises CommandError."""
    settings = read_settings(home)
    key = client_key.client_key(settings, home)
    target = "/v1/messages" if capture.request is None else capture.request.target
    headers = {**list_headers(capture), "x-fairlead-tag": "replay"}
    headers["cache-control"] = "no-store"  # an answer that was kept would say nothing of the backend
    headers["authorization"] = f"Bearer {key.reveal() if key is not None else 'fairlead'}"
    for run, _ in await proven(home):
        [url, *_] = list_literal_urls(run.url)
        try:
            return await send("POST", url + target, headers, question.body, PATIENCE)
        except ControlError as error:
            raise CommandError(f"it got no whole answer: {error}.", "What happened:   fairlead why -") from None
    raise CommandError("no proxy is running that could send it.", "Start it:   fairlead proxy")


def _print_markdown(
    capture: Capture, plan: Explanation, answers: tuple[Meaning, Meaning, Answer] | None, options: argparse.Namespace
) -> None:
    try:
        text = write_replay(capture, plan, answers, options.times)
    except TooDeep:
        raise CommandError("no Markdown was written: the JSON of the capture is nested too deep.") from None
    say(text.rstrip("\n"))


def _print_answers(capture: Capture, plan: Explanation, got: Answer, options: argparse.Namespace) -> int:
    protocol = capture.meta.protocol
    before = read_meaning("" if capture.answer is None else capture.answer.body.text, protocol)
    after = read_meaning(got.body.decode("utf-8", "replace"), protocol)
    if options.markdown:
        _print_markdown(capture, plan, (before, after, got), options)
        return 1 if got.status >= 400 else 0
    found = compare(before, after)
    losses = got.headers.get("x-fairlead-loss", "")
    if options.json:
        print_json(
            {
                "schema": REPLAY_SCHEMA,
                "id": capture.meta.id,
                "plan": None,
                "answer": {
                    "status": got.status,
                    "losses": losses,
                    "before": _to_json(before),
                    "after": _to_json(after),
                    "differences": [one._asdict() for one in found],
                },
                **_find_times(capture, got, options),
            }
        )
        return 1 if got.status >= 400 else 0
    width = find_width()
    say(f"{got.status}   {'the answers say the same' if not found else 'the answers differ:'}")
    for one in found:
        print("\n".join(wrap_row(f"  {one.what:<10}  ", f"was: {clean(one.before, _SHOWN)}", width)))
        print("\n".join(wrap_row(f"  {'':<10}  ", f"now: {clean(one.after, _SHOWN)}", width)))
    if options.times:
        _print_times(capture, got, width)
    return 1 if got.status >= 400 else 0


def _find_times(capture: Capture, got: Answer | None, options: argparse.Namespace) -> dict[str, Any]:
    """The member of the JSON that tells times, in milliseconds, where it was asked for."""
    if not options.times:
        return {}
    now = None if got is None else read_answer(got)._asdict()
    return {"times": {"captured": read_captured(capture)._asdict(), "now": now}}


def _print_times(capture: Capture, got: Answer | None, width: int | None) -> None:
    header, rows = make_rows(read_captured(capture), None if got is None else read_answer(got))
    print("\n".join(format_table(rows, "  ", header=header, right=(1, 2), width=width)))


def _to_json(meaning: Meaning) -> dict[str, Any]:
    return {**meaning._asdict(), "calls": [{"name": name, "arguments": value} for name, value in meaning.calls]}
