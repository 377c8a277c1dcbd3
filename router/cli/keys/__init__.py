"""`fairlead keys`: client keys as named grants."""
