"""Pure decisions on money: budgets, halts, reservations, prices."""
