"""What rules may ask of a request is worked out when it is asked, once, and never before."""

from router.policy.routing.request_traits import NO_TRAITS, RequestTraits


class Watched(dict):
    """Headers that count how often they are read."""

    reads = 0

    def get(self, name, default=None):
        self.reads += 1
        return super().get(name, default)


class Unreadable:
    """A body that must not be looked into."""

    def raw(self, name):
        raise AssertionError(name)

    value = raw


def test_nothing_is_read_before_it_is_asked():
    """Making traits costs nothing; each is worked out once."""
    fields = Watched({b"originator": b"codex", b"session-id": b"1"})
    traits = RequestTraits(fields, "chat", 450, Unreadable())
    assert (fields.reads, traits.tokens) == (0, 100)
    assert traits.client == "codex"
    reads = fields.reads
    assert traits.client == "codex"
    assert fields.reads == reads


def test_a_request_without_json_has_nothing():
    """Multipart bodies, and requests without a body."""
    traits = RequestTraits({}, None, 10, None)
    assert (traits.tools, traits.images, traits.thinking, traits.client, traits.tokens) == (False, False, False, "", 2)
    assert (NO_TRAITS.tokens, NO_TRAITS.client, NO_TRAITS.request_class) == (0, "", "")
