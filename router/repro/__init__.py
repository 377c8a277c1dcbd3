"""Makes repros: captures in which the form of a request and of its answers is left, and none of their content."""
