"""From the head of the upstream answer to the last byte of the client."""
