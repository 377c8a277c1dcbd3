"""`fairlead run`: start a program that reaches its models through the proxy, and say what it used."""

import os
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence

from router.cli.common.layout import note, say
from router.cli.common.output import collect_login_protocols, read_settings
from router.cli.common.parser import Parser
from router.cli.env.target import Target
from router.cli.env.variables import build_arguments, fill_remedy, lacks_key
from router.cli.run import environment
from router.cli.run.environment import VARIABLE, build_environment, find_changes
from router.cli.run.plan import Plan, has_flag
from router.cli.run.private_files import private_files
from router.cli.run.programs import COMMON, OTHER, Program, Recognised, chooses_provider, is_refused, recognise
from router.errors import CommandError, UsageError
from router.host.foreground import Ended, end_as, find_program, run_in_foreground
from router.net.loopback import predict_url
from router.policy.budget.budgets import format_dollars
from router.settings import Secret, Settings
from router.settings.fields import TAG
from router.settings.kinds import BUDGET, InvalidValue, clean, display
from router.store.config import backends
from router.store.home.home import Home, open_home

#: Models that a tool's own list gets at most.
_MODELS = 200
_DEMO = "demo"


def run(argv: list[str]) -> int:
    """Run a program; its exit code, 127 where it is not there, 126 where it cannot be executed, 128 and the number of
    the signal that ended it."""
    options, words = _read(argv)
    home = open_home(os.environ)
    settings = read_settings(home)
    found = recognise(words)
    if is_refused(found.program):
        _refuse(found.program, home, settings)
    path = find_program(words[0], os.environ)
    if found.program.leads_by_file:
        _check_own_file(home, settings, options, words, found)
    if options.dry_run:
        return _show(home, settings, options, words, found)
    from router.cli.run.start import run_program

    with run_program(home, options, words) as session:
        models = session.list_models(settings) if found.program.lists_models else []
        plan = make_plan(home, settings, options, words, found, session.target, models)
        with private_files(home, plan) as (arguments, variables):
            _announce(plan, found.program, options)
            changes = {**plan.changes, **variables, VARIABLE: session.mark}
            started = time.time()
            ended = _wait_for(path, arguments, build_environment(os.environ, changes))
        session.conclude(plan, words, ended, started)
    end_as(ended)
    return ended.code


def _wait_for(path: str, words: Sequence[str], environ: Mapping[str, str]) -> Ended:
    if sys.platform == "win32":
        from router.host.console_program import run_in_console

        return run_in_console(path, words, environ)
    return run_in_foreground(path, words, environ)


def _check_own_file(home: Home, settings: Settings, options: Namespace, words: list[str], found: Recognised) -> None:
    """Raise UsageError for a tool that takes its URL from its own file alone, which does not lead here; CommandError
    where no proxy runs there: one of this run's own would have another port."""
    from router.cli.run.server import find_server

    server = find_server(home)
    url = server.run.url if server is not None else predict_url(settings.host, settings.port)
    make_plan(home, settings, options, words, found, Target(url, None), [])
    if server is None:
        title = found.program.tool.title
        raise CommandError(f"{title} looks for the proxy at {url}, and none runs there.", "Start it:   fairlead proxy")


def make_plan(
    home: Home,
    settings: Settings,
    options: Namespace,
    words: Sequence[str],
    found: Recognised,
    target: Target,
    models: Sequence[str],
) -> Plan:
    """What is set and added for a program. Raises CommandError, UsageError for one that cannot be led to the proxy."""
    program = found.program
    plan = Plan([*words], found.at, target, os.environ, models=models[:_MODELS])
    plan.changes = find_changes(program, target, os.environ, keep=options.keep_env)
    _choose_model(plan, program, options.model, settings)
    flag = chooses_provider(program, plan.arguments)
    plan.leads_itself = bool(flag)
    if flag:
        plan.notes.append(f"your {flag.rstrip('=')} chooses the provider, so nothing of fairlead's is put before it.")
    if lacks_key(program.tool, target) and (options.budget is not None or options.tag):
        raise CommandError(
            f"{program.tool.title} keeps its own login here, and has no place for the key that carries budget and tag.",
            "Leave out --budget and --tag, or give the backend a key:   fairlead backend set NAME --key-stdin",
        )
    if not plan.leads_itself:
        plan.insert(*build_arguments(program.tool, target))
    if program.prepare is not None:
        program.prepare(plan)
    if plan.keeps_key:
        _note_key(plan, program, options)
    return plan


def _note_key(plan: Plan, program: Program, options: Namespace) -> None:
    """Say that the key of the tool's own file counts. Raises CommandError where that of the run has to."""
    title, name = program.tool.title, program.tool.name
    if options.budget is not None or options.tag:
        raise CommandError(
            f"{title} sends the key that its own file has, and not the one of this run, which carries budget and tag.",
            "Leave out --budget and --tag. Where clients must send a key, its own one can be limited:\n"
            f"  fairlead keys set tool-{name} --budget-day USD --tag TAG",
        )
    plan.notes.append(f"{title} sends the key of its own file, so the summary of this run does not have its requests.")


def _choose_model(plan: Plan, program: Program, given: str | None, settings: Settings) -> None:
    """Set the model that was asked for; a tool that cannot start without one gets the first alias, or the demo's."""
    chosen_by_user = any(has_flag(plan.arguments, flag) for flag in program.model_flags)
    model = given or ""
    if not model and program.needs_model and not chosen_by_user:
        if any(plan.environ.get(name) for name in program.model_variables):
            return
        model = next(iter(settings.aliases), _DEMO)
        plan.notes.append(f"the model is {clean(model)}; choose another:   fairlead run --model NAME -- …")
    if not model:
        return
    if chosen_by_user:
        plan.notes.append("your own model argument comes before --model.")
        return
    plan.model, plan.model_given = model, given is not None
    plan.changes.update(dict.fromkeys(program.model_variables, model))
    from json import dumps

    bare = model.removeprefix("openai/") if program.tool.name == "aider" else model
    plan.insert(*(word.format(model=bare, quoted=dumps(model)) for word in program.model_arguments))


def _refuse(program: Program, home: Home, settings: Settings) -> None:
    shown = Target(predict_url(settings.host, settings.port), None)
    raise UsageError(program.tool.obstacle, "\n".join(fill_remedy(program.tool.remedy, shown)))


# Arguments


def _read(argv: list[str]) -> tuple[Namespace, list[str]]:
    """The options, and the words of the program. Raises UsageError."""
    parser = _build_parser()
    own, words = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    options = parser.read(own)
    if options.words:
        given = " ".join([*options.words, *words])
        raise UsageError("the program comes after --.", f"Did you mean:   fairlead run -- {clean(given)}")
    if options.shell and words:
        raise UsageError("--shell starts your shell; leave out the program, or --shell.")
    if options.shell:
        words = [_find_shell(os.environ)]
    if not words:
        raise UsageError("no program is named.", "Name it after --:   fairlead run -- claude")
    for flag, kind in (("budget", BUDGET), ("tag", TAG)):
        text = getattr(options, flag)
        if text is not None:
            try:
                value = kind.parse_text(text)
                setattr(options, flag, float(value) if flag == "budget" else value)
            except InvalidValue as wrong:
                raise UsageError(f"--{flag} is {display(text)}; expected {wrong.text}.") from None
    if options.summary is not None and options.summary[0] != "json":
        raise UsageError(f"--summary is {display(options.summary[0])}; expected json and a file.")
    return options, words


def _build_parser() -> Parser:
    parser = Parser(
        "run",
        "Start a program whose requests go through the proxy: the running one, or one for as long as the program runs. "
        "Its base URLs and keys are set in its environment; no file is changed. It gets a key of its own, which ends "
        "with it. Exit code: the program's; 127 not found, 126 not executable, 128 and the number of a signal.",
        examples=["fairlead run -- claude", "fairlead run --budget 2 --tag research -- codex exec 'fix the test'"],
    )
    parser.usage = "fairlead run [OPTION \N{HORIZONTAL ELLIPSIS}] -- PROGRAM \N{HORIZONTAL ELLIPSIS}"
    parser.add_argument("--model", metavar="MODEL", help="the model to use, by its name in fairlead models")
    parser.add_argument("--budget", metavar="USD", help="US dollars after which its requests are refused")
    parser.add_argument("--tag", metavar="TAG", help="the tag of its requests, for `fairlead usage` and budgets")
    parser.add_argument(
        "--keep-env", action="store_true", help="leave the variables that lead past the proxy, and your keys, in place"
    )
    parser.add_argument("--shell", action="store_true", help="start your shell, for several programs")
    parser.add_argument("--dry-run", action="store_true", help="print what would be set and started; start nothing")
    parser.add_argument("--summary", nargs=2, metavar=("json", "FILE"), help="write what it used to a file, as JSON")
    parser.add_argument("words", nargs="*", metavar="-- PROGRAM", help="the program and its arguments, after --")
    return parser


def _find_shell(environ: Mapping[str, str]) -> str:
    if sys.platform == "win32":
        return environ.get("COMSPEC") or "cmd.exe"
    return environ.get("SHELL") or shutil.which("sh") or "/bin/sh"


# What is said before


def _show(home: Home, settings: Settings, options: Namespace, words: list[str], found: Recognised) -> int:
    """Print what a run would set and start."""
    from router.cli.run.server import find_server

    stored, _ = backends.load(home)
    server = find_server(home)
    url = server.run.url if server else predict_url(settings.host, settings.port)
    # In the place of the key that a run gets.
    target = Target(url, Secret("a-key-of-its-own"), collect_login_protocols(stored))
    plan = make_plan(home, settings, options, words, found, target, [])
    where = url if server else "a proxy of its own, since none runs; its port differs"
    say(f"{clean(os.path.basename(words[0]))} -> {where}")
    folder = plan.folder
    for name, value in plan.changes.items():
        if folder is not None and name == folder.variable:
            value = f"<a private folder with {folder.name}>"
        print(f"  unset {name}" if value is None else f"  {name}={environment.mask(name, value, target)}")
    shown = [environment.mask("", word, target) for word in plan.words]
    for name in plan.files:
        shown = [word.replace(plan.file_word(name), f"<a private {name}>") for word in shown]
    import shlex

    print(f"  {shlex.join(shown)}")
    for line in plan.notes:
        note(f"note: {line}")
    return 0


def _announce(plan: Plan, program: Program, options: Namespace) -> None:
    """Say on stderr what was set, in a line."""
    told = [name for name in plan.changes if name.endswith(("_URL", "_BASE", "_HOST"))]
    own = plan.target.own
    urls = [name for part in (program.tool.parts or COMMON.parts) for name, _ in part.urls if name in told][:2]
    if program.leads_by_file:
        urls = ["its own file"]
    facts = [*urls, *(["arguments"] if plan.at > 1 and program is not OTHER else [])]
    login = "its own login is passed on" if own else "its own login is not used"
    parts = [f"{', '.join(facts)}; {login}" if facts else login]
    if options.budget is not None:
        parts.append(f"budget {format_dollars(options.budget)}")
    if options.tag:
        parts.append(f"tag {options.tag}")
    note(
        f"fairlead: {clean(os.path.basename(plan.words[0]))} -> {plan.target.url} ({'; '.join(parts)}). "
        "fairlead run --dry-run shows all."
    )
    for line in plan.notes:
        note(f"note: {line}")
