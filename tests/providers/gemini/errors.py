"""Errors as Google's APIs write them: google.rpc.Status with details, in the words that were recorded or documented."""

from typing import Any

NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."


class Refused(Exception):
    """A request is answered with this status and body."""

    def __init__(self, code, message, *details, name=""):
        super().__init__(message)
        self.code = code
        error: dict[str, Any] = {"code": code, "message": message, "status": name or NAMES.get(code, "UNKNOWN")}
        if details:
            error["details"] = list(details)
        self.body = {"error": error}


def error_info(reason, **metadata):
    """Why, in a word for programs."""
    domain = {"reason": reason, "domain": "googleapis.com"}
    return {"@type": f"{_TYPE}ErrorInfo", **domain, "metadata": {"service": SERVICE, **metadata}}


SERVICE = "generativelanguage.googleapis.com"


def unknown_field(name, path, why="Cannot find field."):
    """A violation: a key that the message does not have."""
    at = f" at '{path}'" if path else ""
    return {"field": path, "description": f'Invalid JSON payload received. Unknown name "{name}"{at}: {why}'}


def bad_value(path, kind, value):
    """A violation: a value of the wrong type."""
    return {"field": path, "description": f"Invalid value at '{path}' ({kind}), {value}"}


def bad_request(violations):
    """The refusal of a body that does not fit its message."""
    text = "\n".join(one["description"] for one in violations)
    return Refused(400, text, {"@type": f"{_TYPE}BadRequest", "fieldViolations": violations})


def wrong_key():
    """A key that Google does not know: a 400, not a 401."""
    text = "API key not valid. Please pass a valid API key."
    local = {"@type": f"{_TYPE}LocalizedMessage", "locale": "en-US", "message": text}
    return Refused(400, text, error_info("API_KEY_INVALID"), local)


def no_key():
    """No credential at all."""
    return Refused(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
        "form of API consumer identity to call this API.",
    )


def not_a_token():
    """An API key, or anything else, where an OAuth token is wanted."""
    return Refused(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED", method="google.ai.generativelanguage.v1beta.GenerativeService"),
    )


def no_model(model, version="v1beta"):
    """A model that is not there."""
    return Refused(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for generateContent. Call "
        "ListModels to see the list of available models and their supported methods.",
    )


def too_long(tokens, limit):
    """More input than the model's window."""
    return Refused(400, f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit}).")


def no_location():
    """The caller's country."""
    return Refused(400, "User location is not supported for the API use.", name="FAILED_PRECONDITION")


def quota(model, *, seconds=None, per="Minute", limit=1000000):
    """A limit: the wait stands in the body, and in no header. seconds: None where no wait is told."""
    metric = f"{SERVICE}/generate_content_free_tier_input_token_count"
    text = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        f"error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. \n* Quota exceeded for metric: {metric}, "
        f"limit: {limit}, model: {model}"
    )
    violation = {
        "quotaMetric": metric,
        "quotaId": f"GenerateContentInputTokensPerModelPer{per}-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": str(limit),
    }
    details = [{"@type": f"{_TYPE}QuotaFailure", "violations": [violation]}]
    if seconds is not None:
        text += f"\nPlease retry in {seconds}s."
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{seconds}s"})
    return Refused(429, text, *details)


def overloaded():
    """What a full service answers."""
    return Refused(503, "The model is overloaded. Please try again later.")
