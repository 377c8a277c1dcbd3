"""The proxy as a service of its user: what each system's manager is given, and how it is asked."""
