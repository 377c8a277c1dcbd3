"""Where it meets: one request's story, the pump of a stream, our own endpoints, and the nursery that serves them."""
