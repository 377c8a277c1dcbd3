"""From the bytes of a request to the head of the upstream's answer."""
