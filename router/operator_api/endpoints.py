"""The table of the operator's endpoints: everything that fairlead serves beside the LLM APIs.

Each endpoint has its handler in admin/handlers.py. The reference page, the client and the Allow header are derived from
the table.
"""

import msgspec

from router.operator_api.accounts import AccountList, NewAccount
from router.operator_api.backends import (
    AccountRemoved,
    BackendAdded,
    BackendChange,
    BackendChanged,
    BackendList,
    BackendRemoved,
    NewBackend,
)
from router.operator_api.endpoint import Endpoint, EndpointTable, Parameter
from router.operator_api.explain import Explanation, Question
from router.operator_api.guard import Resumed
from router.operator_api.history import Analytics, HistoryPage, HistoryRequest, LiveEvent
from router.operator_api.keys import (
    ChildKey,
    ChildRenewed,
    ChildRevoked,
    KeyChange,
    KeyChanged,
    KeyList,
    KeyMade,
    KeyRotation,
    NewChildKey,
    NewKey,
)
from router.operator_api.models import ModelQuestion, ModelReports
from router.operator_api.page import PageCode, PageEvent, PageRequest, PageRequests, PageSession, PageUsage
from router.operator_api.status import Acceptance, Greeting, Liveness, Readiness, Reloaded, Restarted, Status, Stopping

#: The id that stands for the newest request.
LATEST = "-"
#: Requests on a page of the history: the default, and the maximum.
PAGE, PAGE_LIMIT = 100, 1000

ROOT: Endpoint[None, Greeting] = Endpoint(
    verb="GET", path="/", about="Says that fairlead answers here.", answer=Greeting, access="anyone"
)
HELLO: Endpoint[None, Greeting] = Endpoint(
    verb="GET", path="/api/hello", about="The same, where Claude Code looks.", answer=Greeting, access="anyone"
)
LIVEZ: Endpoint[None, Liveness] = Endpoint(
    verb="GET",
    path="/livez",
    about="Says that the process answers. To the header `x-fairlead-nonce` it answers with `x-fairlead-proof` and "
    "`x-fairlead-process`: an HMAC-SHA256 with the operator token over the nonce, that random name of the process, and "
    "the address and port at which the request came; with a nonce that begins with `key-`, over the client key too.",
    answer=Liveness,
    access="anyone",
)
HEALTH: Endpoint[None, Readiness] = Endpoint(
    verb="GET",
    path="/health",
    about="Whether a request could be served; 503 when no backend can.",
    answer=Readiness,
    access="anyone",
)
READYZ: Endpoint[None, Acceptance] = Endpoint(
    verb="GET",
    path="/readyz",
    about="Whether a load balancer should send requests here; 503 until the models of the backends are known, and from "
    "when the proxy is told to stop, while it still accepts for drain.delay.",
    answer=Acceptance,
    access="anyone",
)
STATUS: Endpoint[None, Status] = Endpoint(verb="GET", path="/status", about="The state of the proxy.", answer=Status)
RELOAD: Endpoint[None, Reloaded] = Endpoint(
    verb="POST",
    path="/admin/reload",
    about="Reads the configuration again; the answer comes once it is in use or refused.",
    answer=Reloaded,
    changes=True,
)
RESUME: Endpoint[None, Resumed] = Endpoint(
    verb="POST",
    path="/admin/resume",
    about="Ends all halts of this home. A budget that was used up counts from here.",
    answer=Resumed,
    changes=True,
)
EXPLAIN: Endpoint[Question, Explanation] = Endpoint(
    verb="POST",
    path="/admin/explain",
    about="What would happen to a request; nothing is sent.",
    answer=Explanation,
    body=Question,
)
MODELS: Endpoint[ModelQuestion, ModelReports] = Endpoint(
    verb="POST",
    path="/admin/models",
    about="What is known of models: windows and other limits, efforts, dates, each with its source.",
    answer=ModelReports,
    body=ModelQuestion,
)
STOP: Endpoint[None, Stopping] = Endpoint(
    verb="POST",
    path="/admin/stop",
    about="Ends the proxy after drain.delay, once its open answers have ended, at most drain.time later.",
    answer=Stopping,
    changes=True,
    status=202,
)
RESTART: Endpoint[None, Restarted] = Endpoint(
    verb="POST",
    path="/admin/restart",
    about="Starts the program of a proxy in the background again, as it was started, and hands it the port; the answer "
    "comes once the new process serves. The old one ends once its open answers have ended, at most drain.time later. "
    "409 with the reason when it goes on to serve: the new program failed, it runs in the foreground, or on Windows.",
    answer=Restarted,
    changes=True,
)
ACCOUNTS: Endpoint[None, AccountList] = Endpoint(
    verb="GET", path="/accounts", about="The accounts of all backends and their state.", answer=AccountList
)
ADMIN_ACCOUNTS: Endpoint[None, AccountList] = Endpoint(
    verb="GET", path="/admin/accounts", about="The same as /accounts.", answer=AccountList
)
ADD_ACCOUNT: Endpoint[NewAccount, BackendAdded] = Endpoint(
    verb="POST",
    path="/admin/accounts",
    about="Adds an account to a backend; 409 when there is one of that name, or the backend takes none.",
    answer=BackendAdded,
    body=NewAccount,
    changes=True,
    status=201,
)
REMOVE_ACCOUNT: Endpoint[None, AccountRemoved] = Endpoint(
    verb="DELETE",
    path="/admin/accounts/{backend}/{alias}",
    about="Removes an account with its key.",
    answer=AccountRemoved,
    changes=True,
)
BACKENDS: Endpoint[None, BackendList] = Endpoint(
    verb="GET", path="/admin/backends", about="All configured backends.", answer=BackendList
)
ADD_BACKEND: Endpoint[NewBackend, BackendAdded] = Endpoint(
    verb="POST",
    path="/admin/backends",
    about="Adds a backend; 409 when there is one of that name.",
    answer=BackendAdded,
    body=NewBackend,
    changes=True,
    status=201,
)
CHANGE_BACKEND: Endpoint[BackendChange, BackendChanged] = Endpoint(
    verb="POST",
    path="/admin/backends/{name}",
    about="Changes a backend.",
    answer=BackendChanged,
    body=BackendChange,
    changes=True,
)
REMOVE_BACKEND: Endpoint[None, BackendRemoved] = Endpoint(
    verb="DELETE",
    path="/admin/backends/{name}",
    about="Removes a backend with its keys, also when its file cannot be read.",
    answer=BackendRemoved,
    changes=True,
)
KEYS: Endpoint[None, KeyList] = Endpoint(
    verb="GET", path="/admin/keys", about="The client keys, without their secrets.", answer=KeyList
)
ADD_KEY: Endpoint[NewKey, KeyMade] = Endpoint(
    verb="POST",
    path="/admin/keys",
    about="Makes a client key, which is shown in this answer alone; 409 when there is one of that name.",
    answer=KeyMade,
    body=NewKey,
    changes=True,
    status=201,
)
CHANGE_KEY: Endpoint[KeyChange, KeyChanged] = Endpoint(
    verb="POST",
    path="/admin/keys/{name}",
    about="Changes what a client key may use.",
    answer=KeyChanged,
    body=KeyChange,
    changes=True,
)
ROTATE_KEY: Endpoint[KeyRotation, KeyMade] = Endpoint(
    verb="POST",
    path="/admin/keys/{name}/rotate",
    about="Makes a new secret for a client key, which is shown in this answer alone.",
    answer=KeyMade,
    body=KeyRotation,
    changes=True,
)
REVOKE_KEY: Endpoint[None, KeyChanged] = Endpoint(
    verb="DELETE",
    path="/admin/keys/{name}",
    about="Ends a client key at once.",
    answer=KeyChanged,
    changes=True,
)
MAKE_CHILD_KEY: Endpoint[NewChildKey, ChildKey] = Endpoint(
    verb="POST",
    path="/admin/keys/child",
    about="Makes a client key for one process, which ends within 2 seconds of it and spends from its parent's budgets "
    "too. It is in memory alone: a proxy that starts again is told it anew.",
    answer=ChildKey,
    body=NewChildKey,
    changes=True,
    status=201,
)
RENEW_CHILD_KEY: Endpoint[None, ChildRenewed] = Endpoint(
    verb="POST",
    path="/admin/keys/child/{name}",
    about="Has the time of such a key begin again.",
    answer=ChildRenewed,
    changes=True,
)
REVOKE_CHILD_KEY: Endpoint[None, ChildRevoked] = Endpoint(
    verb="DELETE",
    path="/admin/keys/child/{name}",
    about="Ends such a key, and tells what its requests used.",
    answer=ChildRevoked,
    changes=True,
)
ANALYTICS: Endpoint[None, Analytics] = Endpoint(
    verb="GET",
    path="/analytics",
    about="Sums of a window of the history.",
    answer=Analytics,
    query=(Parameter("since", "where the window begins: 60m, 24h, 7d, today, or a date; 60m when it is not given"),),
)
STREAM: Endpoint[None, msgspec.Struct] = Endpoint(
    verb="GET",
    path="/analytics/stream",
    about="The last 50 requests, then each as it ends, as events `request`.",
    answer=LiveEvent,
    content="text/event-stream",
)
METRICS: Endpoint[None, str] = Endpoint(
    verb="GET",
    path="/metrics",
    about="Counts since the start in Prometheus' text form. The setting `metrics.token` reads it too.",
    answer=str,
    access="metrics",
    content="text/plain; version=0.0.4; charset=utf-8",
)
HISTORY: Endpoint[None, HistoryPage] = Endpoint(
    verb="GET",
    path="/admin/history",
    about="The newest requests.",
    answer=HistoryPage,
    query=(
        Parameter("limit", f"how many, from 1 to {PAGE_LIMIT}; {PAGE} when it is not given"),
        Parameter("before", "the id of a request: those recorded before it"),
    ),
)
REQUEST: Endpoint[None, HistoryRequest] = Endpoint(
    verb="GET",
    path="/admin/history/{id}",
    about=f"One request by its id, the newest by `{LATEST}`; one that has just ended is written first.",
    answer=HistoryRequest,
)

MAKE_PAGE_CODE: Endpoint[None, PageCode] = Endpoint(
    verb="POST",
    path="/admin/ui/codes",
    about="Makes a code that opens the local page once, within a minute; 409 with the reason where it is not served.",
    answer=PageCode,
    changes=True,
    status=201,
    page=True,
)
LOCAL_PAGE: Endpoint[None, str] = Endpoint(
    verb="GET",
    path="/ui",
    about="The local page, without data; 404 where it is not served.",
    answer=str,
    access="anyone",
    content="text/html; charset=utf-8",
    page=True,
)
LOCAL_PAGE_ROOT: Endpoint[None, str] = msgspec.structs.replace(
    LOCAL_PAGE, path="/ui/", about="The same, at the address that `fairlead ui` opens."
)
PAGE_FILE: Endpoint[None, str] = Endpoint(
    verb="GET",
    path="/ui/files/{hash}/{name}",
    about="A file of the page, under a hash of all of them.",
    answer=str,
    access="anyone",
    content="text/javascript; charset=utf-8",
    page=True,
)
PAGE_SESSION: Endpoint[None, PageSession] = Endpoint(
    verb="GET",
    path="/ui/session",
    about="Takes a code as a bearer token, and gives a token that opens the page's data, and nothing else.",
    answer=PageSession,
    access="code",
    page=True,
)
PAGE_LIVE: Endpoint[None, PageEvent] = Endpoint(
    verb="GET",
    path="/ui/api/live",
    about="What the proxy does now: an event `state` when it changes, `running` twice a second while requests run, and "
    "`ended` with those that have ended and fit the filter.",
    answer=PageEvent,
    query=(Parameter("filter", "the requests that it fits, as for `fairlead log --filter`"),),
    access="viewer",
    content="text/event-stream",
    page=True,
)
PAGE_REQUESTS: Endpoint[None, PageRequests] = Endpoint(
    verb="GET",
    path="/ui/api/requests",
    about="The newest requests that a filter fits.",
    answer=PageRequests,
    query=(
        Parameter("filter", "as for /ui/api/live"),
        Parameter("before", "the id of a request: those recorded before it"),
    ),
    access="viewer",
    page=True,
)
PAGE_REQUEST: Endpoint[None, PageRequest] = Endpoint(
    verb="GET",
    path="/ui/api/requests/{id}",
    about="One request by its id, with what `fairlead why` says of it.",
    answer=PageRequest,
    access="viewer",
    page=True,
)
PAGE_USAGE: Endpoint[None, PageUsage] = Endpoint(
    verb="GET",
    path="/ui/api/usage",
    about="Sums of whole hours or days of the history.",
    answer=PageUsage,
    query=(
        Parameter("since", "where the window begins, as for /analytics; 24h when it is not given"),
        Parameter("by", "model, account, client, tag or key; model when it is not given"),
        Parameter("step", "hour or day; hour when it is not given"),
    ),
    access="viewer",
    page=True,
)

ENDPOINTS = EndpointTable(
    (
        *(ROOT, HELLO, LIVEZ, READYZ, HEALTH, STATUS, RELOAD, RESUME, EXPLAIN, MODELS, STOP, RESTART),
        *(ACCOUNTS, ADMIN_ACCOUNTS, ADD_ACCOUNT, REMOVE_ACCOUNT),
        *(BACKENDS, ADD_BACKEND, CHANGE_BACKEND, REMOVE_BACKEND),
        *(KEYS, ADD_KEY, CHANGE_KEY, ROTATE_KEY, REVOKE_KEY),
        *(MAKE_CHILD_KEY, RENEW_CHILD_KEY, REVOKE_CHILD_KEY),
        *(ANALYTICS, STREAM, METRICS, HISTORY, REQUEST),
        *(MAKE_PAGE_CODE, LOCAL_PAGE, LOCAL_PAGE_ROOT, PAGE_FILE, PAGE_SESSION),
        *(PAGE_LIVE, PAGE_REQUESTS, PAGE_REQUEST, PAGE_USAGE),
    )
)
