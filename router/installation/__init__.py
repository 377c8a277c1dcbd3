"""How this copy of fairlead came onto the machine, and how it is replaced by another version."""
