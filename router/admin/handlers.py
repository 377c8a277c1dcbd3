"""What answers each route of the operator's endpoints."""

from collections.abc import Mapping
from typing import Any

from router.admin import analytics_api, backends_api, explain_api, live_api, proxy_api
from router.admin.ask import Handler, answers, serves
from router.admin.home_call import changing, reading
from router.operator_api import routes
from router.operator_api.route import Route

HANDLERS: Mapping[Route[Any, Any], Handler] = dict(
    (
        answers(routes.ROOT, proxy_api.greet),
        answers(routes.HELLO, proxy_api.greet),
        serves(routes.LIVEZ, proxy_api.prove),
        serves(routes.HEALTH, proxy_api.judge_health),
        answers(routes.STATUS, proxy_api.report_status),
        answers(routes.RELOAD, proxy_api.reload),
        answers(routes.RESUME, proxy_api.resume),
        serves(routes.STOP, proxy_api.stop),
        serves(routes.EXPLAIN, explain_api.answer_question),
        answers(routes.ACCOUNTS, reading(backends_api.list_accounts)),
        answers(routes.ADMIN_ACCOUNTS, reading(backends_api.list_accounts)),
        answers(routes.ADD_ACCOUNT, changing(backends_api.add_account)),
        answers(routes.REMOVE_ACCOUNT, changing(backends_api.remove_account)),
        answers(routes.BACKENDS, reading(backends_api.list_backends)),
        answers(routes.ADD_BACKEND, changing(backends_api.add_backend)),
        answers(routes.CHANGE_BACKEND, changing(backends_api.change_backend)),
        answers(routes.REMOVE_BACKEND, changing(backends_api.remove_backend)),
        answers(routes.ANALYTICS, analytics_api.sum_up),
        serves(routes.STREAM, live_api.stream),
        serves(routes.METRICS, analytics_api.serve_metrics),
        answers(routes.HISTORY, analytics_api.list_requests),
        answers(routes.REQUEST, analytics_api.find_request),
    )
)
