"""This process as a service: the manager that runs it, and what the manager is told."""
