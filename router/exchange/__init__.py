"""The life of one request: read, routed, sent to one account after another, answered, recorded."""
