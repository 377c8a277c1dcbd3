"""How settings are declared: one setting, the tables that only the file has, the section of a team."""
