"""Web searches that fairlead makes itself, by the engine that the user named, for backends that have none."""
