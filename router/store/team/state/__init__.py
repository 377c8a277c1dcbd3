"""What the proxies of a team know together besides budgets: accounts, sessions, ids, answers, logins, client keys."""
