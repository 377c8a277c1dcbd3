"""All checks, in the order in which their rows are shown: from the program up."""

from functools import partial

from router.backends import Backend
from router.cli.doctor.checks import (
    accounts,
    backends,
    configuration,
    environment,
    history,
    home,
    listening,
    local_servers,
    program,
    secrets,
    service,
    serving,
    tools,
    usage,
)
from router.cli.doctor.row import CHECK_SECONDS, Check, Run
from router.cli.doctor.situation import Situation
from router.setup.table import TOOLS

#: A backend's answers to a few tiny requests; some models think before them.
_PROBE_SECONDS = 14.0


def list_checks(situation: Situation) -> list[Check]:
    """The checks for this home: those of backends, tools and logins are for what there is."""
    return [
        Check("build", program.check_build),
        Check("build.twice", program.check_copies),
        Check("build.tmp", program.check_unpacking),
        Check("clock", program.check_clock),
        Check("fds", program.check_descriptors),
        Check("home", home.check_home),
        Check("config", configuration.check_configuration),
        Check("history", history.check_history),
        Check("shared", history.check_server),
        Check("telemetry", history.check_export),
        Check("secrets", secrets.check_secrets),
        Check("proxy", serving.check_proxy),
        Check("proxy.port", listening.check_port),
        Check("proxy.localhost", listening.check_localhost),
        Check("proxy.round", serving.check_round),
        Check("proxy.reach", listening.check_reach),
        Check("service", service.check_service),
        Check("env", environment.check_environment),
        Check("env.proxy", environment.check_proxies),
        *(Check(f"tool.{tool.name}", tools.make_run(tool), subject=tool.name) for tool in TOOLS),
        *(check for backend in situation.enabled for check in _list_of_backend(backend, situation)),
        Check("offers", local_servers.check_offers),
        Check("routes", configuration.check_routes),
        Check("routes.twice", configuration.check_shared_models),
        Check("routes.asked", usage.check_names),
        Check("prices", usage.check_prices),
        Check("loss", usage.check_losses),
        *(_make_login(name) for name in accounts.list_logins(situation)),
        Check("mcp", tools.check_registrations),
        Check("subagent", tools.check_subagents),
        Check("completions", program.check_completions),
    ]


def _list_of_backend(backend: Backend, situation: Situation) -> list[Check]:
    name = backend.name
    found: list[tuple[str, Run, float]] = [
        (f"backend.{name}", backends.make_run(name, backends.check_reach), CHECK_SECONDS),
        (f"backend.{name}.key", backends.make_run(name, backends.check_key), backends.KEY_SECONDS),
        (f"backend.{name}.protocols", backends.make_run(name, backends.check_protocols), CHECK_SECONDS),
        (f"backend.{name}.card", partial(backends.check_cards, name=name), CHECK_SECONDS),
        (f"backend.{name}.limits", partial(accounts.check_limits, name=name), CHECK_SECONDS),
    ]
    if local_servers.is_own_server(backend):
        found.append((f"local.{name}", backends.make_run(name, local_servers.check_server), CHECK_SECONDS))
    if situation.probe:
        found.append((f"backend.{name}.probe", backends.make_run(name, backends.check_answer), _PROBE_SECONDS))
    return [Check(identity, run, seconds, name) for identity, run, seconds in found]


def _make_login(name: str) -> Check:
    return Check(f"login.{name}", partial(accounts.check_login, name=name), subject=name)
