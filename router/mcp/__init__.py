"""A server of the Model Context Protocol over standard input and output: an agent asks about its router, read only."""
