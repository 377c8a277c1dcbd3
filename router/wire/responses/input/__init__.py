"""What of a Responses request other protocols have no form for, or another one."""
