"""`fairlead service`: the proxy as a service of its user."""
