"""What operators may ask of a running proxy: one table of endpoints, a struct an answer, and a client."""
