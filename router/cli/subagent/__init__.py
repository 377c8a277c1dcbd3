"""`fairlead subagent`: what agents are told of fairlead, installed and taken back."""
