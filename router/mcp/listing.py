"""The tools and resources as hosts list them. Written by `python packaging/mcp_tools.py`."""

from typing import Any

# fmt: off
# ruff: noqa: E501
TOOLS: list[dict[str, Any]] = [
    {
        "name": 'status',
        "description": 'Whether the router runs and can serve: backends, budget halts, requests per minute, cost today, problems.',
        "inputSchema": {'type': 'object', 'properties': {}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'proxy_runs': {'type': 'boolean'}, 'serving': {'type': 'string'}, 'version': {'type': 'string'}, 'url': {'type': ['string', 'null']}, 'uptime_s': {'type': ['number', 'null']}, 'running_requests': {'type': 'integer'}, 'stalled_s': {'type': ['number', 'null']}, 'guard': {'anyOf': [{'type': 'object', 'properties': {'state': {'type': 'string'}, 'scope': {'type': ['string', 'null']}, 'until': {'type': ['string', 'null']}, 'reason': {'type': ['string', 'null']}}, 'additionalProperties': False, 'required': ['state', 'scope', 'until', 'reason']}, {'type': 'null'}]}, 'backends': {'type': 'array', 'items': {'type': 'object', 'properties': {'name': {'type': 'string'}, 'protocols': {'type': 'array', 'items': {'type': 'string'}}, 'enabled': {'type': 'boolean'}, 'problem': {'anyOf': [{'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, {'type': 'null'}]}}, 'additionalProperties': False, 'required': ['name', 'protocols', 'enabled', 'problem']}}, 'requests_per_min': {'type': ['number', 'null']}, 'cost_today_usd': {'type': ['number', 'null']}, 'problems': {'type': 'array', 'items': {'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}}, 'user_command': {'type': 'string'}}, 'additionalProperties': False, 'required': ['more', 'proxy_runs', 'serving', 'version', 'url', 'uptime_s', 'running_requests', 'stalled_s', 'guard', 'backends', 'requests_per_min', 'cost_today_usd', 'problems', 'user_command']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'models',
        "description": 'Models that can be reached now, with backend and context window.',
        "inputSchema": {'type': 'object', 'properties': {'query': {'description': 'only names that contain this', 'type': 'string', 'maxLength': 256, 'default': ''}, 'backend': {'description': "only this backend's", 'type': 'string', 'maxLength': 256, 'default': ''}, 'limit': {'type': 'integer', 'minimum': 1, 'maximum': 200, 'default': 50}}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'models': {'type': 'array', 'items': {'type': 'object', 'properties': {'id': {'type': 'string'}, 'backend': {'type': 'string'}, 'protocols': {'type': 'array', 'items': {'type': 'string'}}, 'context': {'type': ['integer', 'null']}, 'max_output': {'type': ['integer', 'null']}, 'aliases': {'type': 'array', 'items': {'type': 'string'}}, 'notice': {'type': 'string'}}, 'additionalProperties': False, 'required': ['id', 'backend', 'protocols', 'context', 'max_output', 'aliases', 'notice']}}, 'matching': {'type': 'integer'}}, 'additionalProperties': False, 'required': ['more', 'models', 'matching']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'explain',
        "description": 'Dry run: where a request for a model would go, by which rule and account, and what would be changed or lost on the way. Nothing is sent.',
        "inputSchema": {'type': 'object', 'properties': {'model': {'type': 'string', 'maxLength': 256, 'minLength': 1}, 'protocol': {'enum': ['chat', 'messages', 'responses']}, 'tokens': {'description': 'its length, in tokens', 'type': 'integer', 'minimum': 0, 'maximum': 2000000}, 'tools': {'description': 'it declares tools', 'type': 'boolean', 'default': False}, 'images': {'description': 'it has an image', 'type': 'boolean', 'default': False}}, 'additionalProperties': False, 'required': ['model']},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'model': {'type': ['string', 'null']}, 'protocol': {'type': 'string'}, 'backend': {'type': 'string'}, 'account': {'type': 'string'}, 'next_account': {'type': 'string'}, 'room': {'type': 'string'}, 'why': {'type': 'string'}, 'rule': {'type': 'string'}, 'alias': {'type': 'string'}, 'sent_model': {'type': ['string', 'null']}, 'translation': {'type': 'string'}, 'losses': {'type': 'array', 'items': {'type': 'string'}}, 'edits': {'type': 'array', 'items': {'type': 'string'}}, 'fallback': {'type': 'array', 'items': {'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}}, 'fits': {'type': 'string'}, 'limits': {'type': 'string'}, 'notice': {'type': 'string'}, 'problem': {'anyOf': [{'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, {'type': 'null'}]}, 'status': {'type': 'integer'}, 'refusal': {'anyOf': [{'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, {'type': 'null'}]}, 'steps': {'type': 'array', 'items': {'type': 'object', 'properties': {'step': {'enum': ['alias', 'bound', 'catalog', 'default', 'family', 'forced', 'none', 'owner', 'prefix', 'rule', 'shortcut', 'vendor']}, 'took': {'type': 'boolean'}, 'text': {'type': 'string'}, 'rule': {'type': 'string'}}, 'additionalProperties': False, 'required': ['step', 'took', 'text', 'rule']}}}, 'additionalProperties': False, 'required': ['more', 'model', 'protocol', 'backend', 'account', 'next_account', 'room', 'why', 'rule', 'alias', 'sent_model', 'translation', 'losses', 'edits', 'fallback', 'fits', 'limits', 'notice', 'problem', 'status', 'refusal', 'steps']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'why',
        "description": 'What happened to one recorded request: attempts, waits, times beside the usual ones of the model, tokens, cost, error and what the user can do about it. The latest is most likely the turn that led to this call; `requests` lists those before it.',
        "inputSchema": {'type': 'object', 'properties': {'id': {'description': 'its id, or the beginning or end of it; latest: the newest', 'type': 'string', 'maxLength': 64, 'minLength': 1, 'default': 'latest'}}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'id': {'type': 'string'}, 'time': {'type': 'string'}, 'client': {'type': 'string'}, 'protocol': {'type': 'string'}, 'path': {'type': 'string'}, 'model': {'type': 'string'}, 'served_model': {'type': 'string'}, 'backend': {'type': 'string'}, 'account': {'type': 'string'}, 'route': {'type': ['string', 'null']}, 'status': {'type': 'integer'}, 'stream': {'type': 'boolean'}, 'error': {'type': 'string'}, 'error_text': {'anyOf': [{'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, {'type': 'null'}]}, 'queue_ms': {'type': 'integer'}, 'first_byte_ms': {'type': ['number', 'null']}, 'total_ms': {'type': 'number'}, 'usual': {'anyOf': [{'type': 'object', 'properties': {'requests': {'type': 'integer'}, 'first_byte_ms_p50': {'type': ['number', 'null']}, 'first_byte_ms_p95': {'type': ['number', 'null']}, 'total_ms_p50': {'type': ['number', 'null']}, 'total_ms_p95': {'type': ['number', 'null']}}, 'additionalProperties': False, 'required': ['requests', 'first_byte_ms_p50', 'first_byte_ms_p95', 'total_ms_p50', 'total_ms_p95']}, {'type': 'null'}]}, 'tries': {'type': 'array', 'items': {'type': 'object', 'properties': {'at_ms': {'type': 'integer'}, 'backend': {'type': 'string'}, 'account': {'type': 'string'}, 'status': {'type': 'integer'}, 'error': {'type': 'string'}, 'done': {'type': 'string'}, 'note': {'type': 'string'}, 'text': {'anyOf': [{'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, {'type': 'null'}]}}, 'additionalProperties': False, 'required': ['at_ms', 'backend', 'account', 'status', 'error', 'done', 'note', 'text']}}, 'tokens_in': {'type': ['integer', 'null']}, 'tokens_out': {'type': ['integer', 'null']}, 'cache_read': {'type': ['integer', 'null']}, 'cache_write': {'type': ['integer', 'null']}, 'reasoning': {'type': ['integer', 'null']}, 'cache_loss': {'anyOf': [{'type': 'object', 'properties': {'reason': {'type': 'string'}, 'tokens': {'type': 'integer'}, 'usd': {'type': ['number', 'null']}, 'idle_s': {'type': ['integer', 'null']}}, 'additionalProperties': False, 'required': ['reason', 'tokens', 'usd', 'idle_s']}, {'type': 'null'}]}, 'estimated': {'type': 'boolean'}, 'cost_usd': {'type': ['number', 'null']}, 'price': {'type': 'string'}, 'billing': {'type': 'string'}, 'utilisation': {'type': ['number', 'null']}, 'losses': {'type': 'array', 'items': {'type': 'string'}}, 'notes': {'type': 'array', 'items': {'type': 'string'}}, 'tag': {'type': 'string'}, 'user_step': {'type': 'string'}}, 'additionalProperties': False, 'required': ['more', 'id', 'time', 'client', 'protocol', 'path', 'model', 'served_model', 'backend', 'account', 'route', 'status', 'stream', 'error', 'error_text', 'queue_ms', 'first_byte_ms', 'total_ms', 'usual', 'tries', 'tokens_in', 'tokens_out', 'cache_read', 'cache_write', 'reasoning', 'cache_loss', 'estimated', 'cost_usd', 'price', 'billing', 'utilisation', 'losses', 'notes', 'tag', 'user_step']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'requests',
        "description": 'The newest recorded requests, without their bodies.',
        "inputSchema": {'type': 'object', 'properties': {'since': {'description': '60m, 24h, 7d, today, or a date such as 2026-11-01', 'type': 'string', 'maxLength': 40, 'default': '15m'}, 'status': {'description': 'errors: only those that failed', 'enum': ['all', 'errors'], 'default': 'all'}, 'model': {'description': 'only models whose name contains this', 'type': 'string', 'maxLength': 256, 'default': ''}, 'client': {'description': "only this client's, such as claude-code", 'type': 'string', 'maxLength': 256, 'default': ''}, 'limit': {'type': 'integer', 'minimum': 1, 'maximum': 50, 'default': 20}}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'requests': {'type': 'array', 'items': {'type': 'object', 'properties': {'id': {'type': 'string'}, 'time': {'type': 'string'}, 'client': {'type': 'string'}, 'model': {'type': 'string'}, 'backend': {'type': 'string'}, 'account': {'type': 'string'}, 'status': {'type': 'integer'}, 'error': {'type': 'string'}, 'attempts': {'type': 'integer'}, 'first_byte_ms': {'type': ['number', 'null']}, 'total_ms': {'type': 'number'}, 'tokens_in': {'type': ['integer', 'null']}, 'tokens_out': {'type': ['integer', 'null']}, 'cache_read': {'type': ['integer', 'null']}, 'cost_usd': {'type': ['number', 'null']}}, 'additionalProperties': False, 'required': ['id', 'time', 'client', 'model', 'backend', 'account', 'status', 'error', 'attempts', 'first_byte_ms', 'total_ms', 'tokens_in', 'tokens_out', 'cache_read', 'cost_usd']}}}, 'additionalProperties': False, 'required': ['more', 'requests']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'usage',
        "description": 'Sums of a period: requests, errors, tokens, cost and latency by model, account, client, tag or backend.',
        "inputSchema": {'type': 'object', 'properties': {'since': {'description': '60m, 24h, 7d, today, or a date such as 2026-11-01', 'type': 'string', 'maxLength': 40, 'default': '24h'}, 'by': {'enum': ['account', 'backend', 'client', 'model', 'tag'], 'default': 'model'}}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'since': {'type': 'string'}, 'by': {'type': 'string'}, 'total': {'type': 'object', 'properties': {'name': {'type': 'string'}, 'requests': {'type': 'integer'}, 'errors': {'type': 'integer'}, 'estimated': {'type': 'integer'}, 'unpriced': {'type': 'integer'}, 'tokens_in': {'type': 'integer'}, 'tokens_out': {'type': 'integer'}, 'cache_read': {'type': 'integer'}, 'cache_write': {'type': 'integer'}, 'reasoning': {'type': 'integer'}, 'cache_lost': {'type': 'integer'}, 'cache_lost_usd': {'type': 'number'}, 'saved_usd': {'type': 'number'}, 'cost_usd': {'type': 'number'}, 'cached_share': {'type': ['number', 'null']}, 'share': {'type': 'number'}, 'first_byte_ms': {'type': 'object', 'additionalProperties': {'type': ['number', 'null']}}, 'total_ms': {'type': 'object', 'additionalProperties': {'type': ['number', 'null']}}}, 'additionalProperties': False, 'required': ['name', 'requests', 'errors', 'estimated', 'unpriced', 'tokens_in', 'tokens_out', 'cache_read', 'cache_write', 'reasoning', 'cache_lost', 'cache_lost_usd', 'saved_usd', 'cost_usd', 'cached_share', 'share', 'first_byte_ms', 'total_ms']}, 'rows': {'type': 'array', 'items': {'type': 'object', 'properties': {'name': {'type': 'string'}, 'requests': {'type': 'integer'}, 'errors': {'type': 'integer'}, 'estimated': {'type': 'integer'}, 'unpriced': {'type': 'integer'}, 'tokens_in': {'type': 'integer'}, 'tokens_out': {'type': 'integer'}, 'cache_read': {'type': 'integer'}, 'cache_write': {'type': 'integer'}, 'reasoning': {'type': 'integer'}, 'cache_lost': {'type': 'integer'}, 'cache_lost_usd': {'type': 'number'}, 'saved_usd': {'type': 'number'}, 'cost_usd': {'type': 'number'}, 'cached_share': {'type': ['number', 'null']}, 'share': {'type': 'number'}, 'first_byte_ms': {'type': 'object', 'additionalProperties': {'type': ['number', 'null']}}, 'total_ms': {'type': 'object', 'additionalProperties': {'type': ['number', 'null']}}}, 'additionalProperties': False, 'required': ['name', 'requests', 'errors', 'estimated', 'unpriced', 'tokens_in', 'tokens_out', 'cache_read', 'cache_write', 'reasoning', 'cache_lost', 'cache_lost_usd', 'saved_usd', 'cost_usd', 'cached_share', 'share', 'first_byte_ms', 'total_ms']}}, 'prices': {'type': 'array', 'items': {'type': 'string'}}}, 'additionalProperties': False, 'required': ['more', 'since', 'by', 'total', 'rows', 'prices']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'limits',
        "description": 'Accounts with their state, what is left of each limit, and which one serves next.',
        "inputSchema": {'type': 'object', 'properties': {}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'accounts': {'type': 'array', 'items': {'type': 'object', 'properties': {'backend': {'type': 'string'}, 'alias': {'type': 'string'}, 'state': {'type': 'string'}, 'reason': {'anyOf': [{'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, {'type': 'null'}]}, 'until_s': {'type': ['number', 'null']}, 'headroom': {'type': ['number', 'null']}, 'limits': {'type': 'array', 'items': {'type': 'object', 'properties': {'name': {'type': 'string'}, 'used': {'type': 'number'}, 'resets_s': {'type': 'number'}}, 'additionalProperties': False, 'required': ['name', 'used', 'resets_s']}}, 'next': {'type': 'boolean'}}, 'additionalProperties': False, 'required': ['backend', 'alias', 'state', 'reason', 'until_s', 'headroom', 'limits', 'next']}}, 'forecasts': {'type': 'array', 'items': {'type': 'object', 'properties': {'account': {'type': 'string'}, 'window': {'type': 'string'}, 'utilisation': {'type': 'number'}, 'per_hour': {'type': ['number', 'null']}, 'resets_in_s': {'type': ['number', 'null']}, 'full_in_s': {'type': ['number', 'null']}}, 'additionalProperties': False, 'required': ['account', 'window', 'utilisation', 'per_hour', 'resets_in_s', 'full_in_s']}}}, 'additionalProperties': False, 'required': ['more', 'accounts', 'forecasts']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'doctor',
        "description": "Checks of the installation, the configuration, this machine's tools and the backends, with what the user can do; takes some seconds.",
        "inputSchema": {'type': 'object', 'properties': {'offline': {'description': 'false: also reach each backend; no model is ever asked', 'type': 'boolean', 'default': True}}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'checks': {'type': 'array', 'items': {'type': 'object', 'properties': {'name': {'type': 'string'}, 'state': {'type': 'string'}, 'text': {'type': 'object', 'properties': {'upstream_text_untrusted': {'type': 'string'}}, 'additionalProperties': False, 'required': ['upstream_text_untrusted']}, 'user_step': {'type': 'string'}}, 'additionalProperties': False, 'required': ['name', 'state', 'text', 'user_step']}}, 'fails': {'type': 'integer'}, 'warnings': {'type': 'integer'}, 'right': {'type': 'integer'}}, 'additionalProperties': False, 'required': ['more', 'checks', 'fails', 'warnings', 'right']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
    {
        "name": 'config',
        "description": 'Effective settings with their sources; secrets are shown as set or unset.',
        "inputSchema": {'type': 'object', 'properties': {'key': {'description': 'one setting, or the beginning of several, such as timeouts', 'type': 'string', 'maxLength': 256, 'default': ''}}, 'additionalProperties': False},
        "outputSchema": {'type': 'object', 'properties': {'more': {'type': 'integer'}, 'settings': {'type': 'array', 'items': {'type': 'object', 'properties': {'key': {'type': 'string'}, 'value': {'type': 'string'}, 'source': {'type': 'string'}}, 'additionalProperties': False, 'required': ['key', 'value', 'source']}}}, 'additionalProperties': False, 'required': ['more', 'settings']},
        "annotations": {'readOnlyHint': True, 'destructiveHint': False, 'idempotentHint': True, 'openWorldHint': False},
    },
]
RESOURCES: list[dict[str, Any]] = [
    {
        "uri": 'fairlead://status',
        "name": 'status',
        "description": 'What the router reports about itself',
        "mimeType": 'application/json',
    },
    {
        "uri": 'fairlead://usage/24h',
        "name": 'usage',
        "description": 'Requests, tokens and cost of the last 24 hours',
        "mimeType": 'application/json',
    },
    {
        "uri": 'fairlead://doctor',
        "name": 'doctor',
        "description": 'What checks of the installation found',
        "mimeType": 'application/json',
    },
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "uriTemplate": 'fairlead://request/{id}',
        "name": 'request',
        "description": 'What happened to one recorded request',
        "mimeType": 'application/json',
    },
]
NAMES = frozenset(tool["name"] for tool in TOOLS)
