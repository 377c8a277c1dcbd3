"""The HTTP status that the code or type of an error stands for, where no status says it: in a stream, or inside a 200.

Every code that fairlead writes itself is among them. `insufficient_quota` has OpenAI's own status, 429.
"""

_WORDS: dict[int, str] = {
    400: "invalid_request_error invalid_request invalid_prompt invalid_argument bad_request bad_request_error "
    "context_length_exceeded content_filter content_policy_violation cyber_policy failed_precondition "
    "invalid_parameter unprocessable_entity validation_error",
    401: "authentication_error invalid_authentication_error invalid_authentication invalid_api_key incorrect_api_key "
    "api_key_invalid unauthorized unauthenticated",
    402: "billing_error payment_required insufficient_balance insufficient_credits insufficient_funds "
    "credit_balance_exhausted",
    403: "permission_error permission_denied permission_denied_error forbidden access_denied",
    404: "not_found_error not_found model_not_found model_not_found_error model_not_exist deploymentnotfound",
    409: "conflict_error conflict",
    413: "request_too_large payload_too_large",
    429: "rate_limit_error rate_limit_exceeded rate_limit_exceeded_error rate_limit_reached rate_limit_reached_error "
    "rate_limit ratelimit_exceeded rate_limited too_many_requests too_many_requests_error resource_exhausted "
    "throttling throttled throttlingexception insufficient_quota tokens requests",
    500: "api_error server_error internal_error internal_server_error internal",
    503: "overloaded server_is_overloaded server_overloaded server_overloaded_error slow_down engine_overloaded "
    "engine_overloaded_error model_overloaded unavailable unavailable_error service_unavailable "
    "service_unavailable_error serviceunavailable",
    504: "timeout_error timeout request_timeout gateway_timeout deadline_exceeded",
    529: "overloaded_error",
}
_STATUS = {word: status for status, words in _WORDS.items() for word in words.split()}
#: Words that are longer are no codes.
_WORD_LIMIT = 64


def find_status(word: object) -> int | None:
    """The status of a code or type in any spelling (`RESOURCE_EXHAUSTED`, `rate-limit-exceeded`), None for another."""
    if not isinstance(word, str) or len(word) > _WORD_LIMIT:
        return None
    return _STATUS.get(word.lower().replace("-", "_").replace(" ", "_"))
