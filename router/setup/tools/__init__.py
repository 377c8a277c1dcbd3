"""What each tool is, where its configuration is, and what setup writes there; one file per tool."""
