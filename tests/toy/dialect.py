"""Forms of the toy protocol's errors and events."""

from router.wire.dialect import Failure, Needles, Verdict
from router.wire.raw import sse
from router.wire.raw.json import json_values

from . import errors, usage


class Toy:
    """The dialect of POST /v1/toy/MODEL."""

    name = "toy"
    title = "Toy"
    needles = Needles(
        ending=(b'"end":"', b'"end": "', b'"trouble":{', b'"trouble": {'),
        usage=usage.NEEDLES,
        error=b'"trouble"',
    )
    has_terminal = True

    def error_body(self, error, request_id):
        return errors.trouble(error.status, error.message)

    def error_events(self, error, request_id, stream):
        return sse.frame(self.error_body(error, request_id))

    def ping(self, begun):
        return b": still here\n\n"

    def judge(self, event, data):
        if data is None:
            return Verdict.HOLD
        return Verdict.ERROR if "trouble" in data else Verdict.COMMIT

    def ending(self, event, data):
        if data is None:
            return None
        return False if "trouble" in data else True if data.get("end") else None

    def failure(self, data):
        found = json_values.get_object(data, "trouble")
        if not found:
            return None
        status = errors.status_of(found)
        return Failure(status, errors.trouble(status, str(found.get("why"))))

    def usage(self, found, known, profile):
        return usage.decode_usage(found, known)

    def usage_in(self, data):
        return json_values.get_object(data, "meter")

    def is_usage_event(self, data):
        return False
