"""What operators may ask of a running proxy: one table of routes, a struct for each answer, and a client for both."""
