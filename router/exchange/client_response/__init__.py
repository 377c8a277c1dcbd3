"""From the head of the upstream's answer to the last byte that the client gets."""
