"""Serves the endpoints of the process itself: liveness, health, status, reload, resume and stop."""

from router.admin import status
from router.admin.ask import Ask
from router.admin.models_api import run_over_models
from router.host.clock import boot_time
from router.net.control.signatures import NONCE_HEADER, Place
from router.net.server.cancel_reason import CancelReason
from router.operator_api import endpoints
from router.operator_api.guard import Resumed
from router.operator_api.status import (
    Acceptance,
    Greeting,
    Liveness,
    Readiness,
    Refusal,
    Reloaded,
    Restarted,
    Status,
    Stopping,
)
from router.policy.budget.budgets import ALL
from router.upstream.account_state import can_serve
from router.upstream.runtime import Runtime

#: The word for a proxy none of whose backends can serve.
NOTHING = "nothing can serve"
_NONCE_LIMIT = 256
_RESTART_SECONDS = 30.0


async def greet(_: Ask) -> Greeting:
    """Say that fairlead answers here."""
    return Greeting(name="fairlead", status="ok")


async def prove(ask: Ask) -> None:
    """Say that the process answers; where a nonce is given, prove knowledge of the operator token."""
    nonce = ask.request.fields.get(NONCE_HEADER.encode())
    if nonce is None or len(nonce) > _NONCE_LIMIT:
        await ask.respond(Liveness(status="ok"))
    else:
        # For the place where this connection arrived: one who relays the nonce from another place gains nothing.
        arrived = Place(*ask.connection.stream.get_local_address())
        await ask.respond(Liveness(status="ok"), headers=ask.gate.prove(nonce, arrived))


async def judge_health(ask: Ask) -> None:
    """Say whether a request could be served now."""
    word = judge(ask.runtime)
    # A stall or a halt is not a 503: a supervisor that restarts unhealthy processes would cut a model that thinks long.
    await ask.respond(Readiness(status=word), 503 if word == NOTHING else 200)


async def judge_readiness(ask: Ask) -> None:
    """Say whether a load balancer should send requests here."""
    word, server, spans = ask.operated.readiness, ask.runtime.guard.server, ask.runtime.spans
    answer = Acceptance(status=word)
    if server is not None:
        # No 503: it goes on without the server, and where all proxies of a team said so there would be none left.
        lost = server.problem is not None
        answer.shared = "lost" if lost else "connected"
        answer.shared_since, answer.budgets = (server.failing_since, server.allowance) if lost else (None, None)
    if spans is not None:
        answer.telemetry = "sent" if spans.problem is None else "failing"
    await ask.respond(answer, 200 if word == "ready" else 503)


def judge(runtime: Runtime) -> str:
    """Whether a request could be served now, in the words of Readiness."""
    services = runtime.snapshot.services.values()
    now = boot_time()
    able = any(can_serve(service, now) for service in services)
    if (able and runtime.guard.held(ALL)) or (not able and any(service.halted() for service in services)):
        return "halted"
    if able and runtime.health.stalled is not None:
        return "stalled"
    return "ok" if able else NOTHING


async def report_status(ask: Ask) -> Status:
    """Report everything the proxy knows about itself."""
    runtime = ask.runtime
    await runtime.guard.current()
    models = await run_over_models(ask.connection, runtime, status.report_models, runtime.snapshot.table)
    return await status.report_port(runtime, ask.operated, models)


async def reload(ask: Ask) -> Reloaded:
    """Read the configuration again, and wait until it is in use or refused."""
    await ask.operated.reload().wait()
    names = [backend.name for backend in ask.runtime.snapshot.table.backends]
    error = ask.runtime.refused
    refused = None if error is None else Refusal(message=str(error), fix=error.hint)
    return Reloaded(backends=names, problems=ask.operated.problems, refused=refused)


async def resume(ask: Ask) -> Resumed:
    """End all halts of this home."""
    guard = ask.runtime.guard
    lifted = await guard.resume()
    return Resumed(lifted=lifted, guard=guard.status())


async def stop(ask: Ask) -> None:
    """Answer, then begin to stop."""
    await ask.read_body()
    await ask.respond(Stopping(status="stopping", within=ask.operated.ends_within), endpoints.STOP.status)
    ask.operated.stop()


async def restart(ask: Ask) -> Restarted:
    """Hand over to a new process of the program, and say which."""
    ask.connection.set_deadline(_RESTART_SECONDS, CancelReason.TOTAL)
    return await ask.operated.restart()
