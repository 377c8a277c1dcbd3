"""The requests that a filter fits, and one request in words."""

from router.admin.analytics_api import look_up_request
from router.errors import BadRequest
from router.operator_api.page import Fact, PageRequest, PageRequests
from router.store.history import read_requests, reader
from router.store.history.read_requests import RecordedRequest
from router.upstream.runtime import Runtime
from router.watch.request_filter import RequestFilter, UnknownFilter, parse_filter
from router.watch.why_text import describe_request

SCHEMA = 1
#: Requests of one answer, and those that are looked at for one, as a few of a history may fit.
PAGE, LOOKED = 200, 5000
_PIECE = 500


def read_filter(text: str) -> RequestFilter:
    """The filter of a request. Raises BadRequest."""
    try:
        return parse_filter(text)
    except UnknownFilter as error:
        raise BadRequest(f"The filter cannot be read: {error}.") from None


def find_requests(runtime: Runtime, asked: RequestFilter, before: str) -> PageRequests:
    """The newest requests that a filter fits. before: the id of a request, for older ones. Blocks."""
    found = list[RecordedRequest]()
    looked, last = 0, before
    with reader.open_reader(runtime.home) as db:
        while db is not None and looked < LOOKED and len(found) < PAGE:
            rows = read_requests.read_latest(db, _PIECE if asked.tests else PAGE, last)
            for row in rows:
                looked, last = looked + 1, row.id
                if asked.fits(row):
                    found.append(row)
                    if len(found) == PAGE:
                        break
            else:
                if not rows or (asked.tests and len(rows) < _PIECE):
                    last = ""
                    break
    return PageRequests(schema=SCHEMA, requests=found, looked=looked, next=last if looked else "")


def explain_request(runtime: Runtime, name: str) -> PageRequest:
    """One request with what is said of it. Blocks. Raises NotFound."""
    found = look_up_request(runtime, name)
    return PageRequest(
        schema=SCHEMA, request=found, why=[Fact(label=one.label, text=one.text) for one in describe_request(found)]
    )
