"""Errors translated between protocols, where type and status do not agree."""

import json

import pytest

from router.wire import translate_errors


@pytest.mark.parametrize("caller", ["chat", "responses"])
@pytest.mark.parametrize(
    ("kind", "status", "seen"),
    [
        ("api_error", 422, 400),
        ("api_error", 500, 500),
        ("overloaded_error", 529, 503),
        ("new_error", 422, 400),
        ("new_error", 503, 503),
        ("invalid_request_error", 400, 400),
    ],
)
def test_what_is_the_requests_fault_is_not_sent_again(caller, kind, status, seen):
    """A 4xx of a Messages upstream stays a 4xx for OpenAI's SDKs, which repeat every 5xx."""
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "out of order"}}).encode()
    made = translate_errors.failure(body, status, "messages", caller)
    assert made is not None
    assert made[0] == seen
    assert json.loads(made[1])["error"]["message"] == "out of order"


GOOGLE = {"error": {"code": 403, "message": "Not enabled here.", "status": "PERMISSION_DENIED"}}


@pytest.mark.parametrize("caller", ["messages", "chat", "responses"])
@pytest.mark.parametrize("spoken", ["messages", "chat", "responses"])
@pytest.mark.parametrize("body", [GOOGLE, [GOOGLE], {"message": "Not enabled here."}, {"Message": "Not enabled here."}])
def test_errors_of_a_clouds_platform(caller, spoken, body):
    """Google's and AWS's own errors, which stand in front of the model's, come with their message and status whatever
    the protocol was."""
    made = translate_errors.failure(json.dumps(body).encode(), 403, spoken, caller)
    assert made is not None
    assert made[0] == 403
    assert json.loads(made[1])["error"]["message"] == "Not enabled here."
