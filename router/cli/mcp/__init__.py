"""`fairlead mcp`: the server for agents, and what its tools answer."""
