"""The handler of each of the operator's endpoints."""

from collections.abc import Mapping
from typing import Any

from router.admin import (
    analytics_api,
    backends_api,
    explain_api,
    live_api,
    models_api,
    proxy_api,
)
from router.admin.ask import Handler, answers, serves
from router.admin.home_call import changes_home, reads_home
from router.admin.keys import named_keys, process_keys
from router.operator_api import endpoints
from router.operator_api.endpoint import Endpoint

HANDLERS: Mapping[Endpoint[Any, Any], Handler] = dict(
    (
        answers(endpoints.ROOT, proxy_api.greet),
        answers(endpoints.HELLO, proxy_api.greet),
        serves(endpoints.LIVEZ, proxy_api.prove),
        serves(endpoints.READYZ, proxy_api.judge_readiness),
        serves(endpoints.HEALTH, proxy_api.judge_health),
        answers(endpoints.STATUS, proxy_api.report_status),
        answers(endpoints.RELOAD, proxy_api.reload),
        answers(endpoints.RESUME, proxy_api.resume),
        serves(endpoints.STOP, proxy_api.stop),
        answers(endpoints.RESTART, proxy_api.restart),
        serves(endpoints.EXPLAIN, explain_api.answer_question),
        answers(endpoints.MODELS, models_api.report),
        answers(endpoints.ACCOUNTS, reads_home(backends_api.list_accounts)),
        answers(endpoints.ADMIN_ACCOUNTS, reads_home(backends_api.list_accounts)),
        answers(endpoints.ADD_ACCOUNT, changes_home(backends_api.add_account)),
        answers(endpoints.REMOVE_ACCOUNT, changes_home(backends_api.remove_account)),
        answers(endpoints.BACKENDS, reads_home(backends_api.list_backends)),
        answers(endpoints.ADD_BACKEND, changes_home(backends_api.add_backend)),
        answers(endpoints.CHANGE_BACKEND, changes_home(backends_api.change_backend)),
        answers(endpoints.REMOVE_BACKEND, changes_home(backends_api.remove_backend)),
        answers(endpoints.KEYS, named_keys.list_keys),
        answers(endpoints.ADD_KEY, changes_home(named_keys.add_key)),
        answers(endpoints.CHANGE_KEY, changes_home(named_keys.change_key)),
        answers(endpoints.ROTATE_KEY, changes_home(named_keys.rotate_key)),
        answers(endpoints.REVOKE_KEY, changes_home(named_keys.revoke_key)),
        answers(endpoints.MAKE_CHILD_KEY, process_keys.make),
        answers(endpoints.RENEW_CHILD_KEY, process_keys.renew),
        answers(endpoints.REVOKE_CHILD_KEY, process_keys.revoke),
        answers(endpoints.ANALYTICS, analytics_api.sum_window),
        serves(endpoints.STREAM, live_api.stream),
        serves(endpoints.METRICS, analytics_api.serve_metrics),
        answers(endpoints.HISTORY, analytics_api.list_requests),
        answers(endpoints.REQUEST, analytics_api.find_request),
    )
)
