"""What agents are told of fairlead: the file of a sub-agent that answers questions about it, and a skill."""
