"""The tables that only config.toml has."""

from router.settings.fields import (
    ACCOUNT_BUDGETS,
    ACCOUNT_GROUPS,
    ACCOUNT_RATES,
    ALIASES,
    CHAINS,
    LOSSES,
    SERVER_TOOLS,
    TAG_BUDGETS,
)
from router.settings.tables import Entry

#: The tables that only the file has.
TABLES: tuple[Entry, ...] = (
    Entry(
        "aliases",
        ALIASES,
        "name = the model it stands for, not another alias; listed by /v1/models",
    ),
    Entry("fallback", CHAINS, "model glob = list of BACKEND:MODEL to try when its backend cannot serve"),
    Entry(
        "server_tools",
        SERVER_TOOLS,
        "tool = BACKEND or BACKEND:MODEL that requests go to whose only tool it is; known is web_search",
    ),
    Entry("losses", LOSSES, "field of a request = warn, strict or silent for it and what is inside it"),
    Entry("pool.accounts.rpm", ACCOUNT_RATES, "BACKEND/ALIAS = requests per minute; above it other accounts serve"),
    Entry("pool.accounts.tpm", ACCOUNT_RATES, "BACKEND/ALIAS = tokens per minute, as rpm"),
    Entry(
        "pool.accounts.group",
        ACCOUNT_GROUPS,
        "BACKEND/ALIAS = a name; accounts of one name can read what each other's models sealed (encrypted_content); "
        "default: those of one organisation, as its answers say",
    ),
    Entry("guard.accounts.day_usd", ACCOUNT_BUDGETS, "BACKEND/ALIAS = US dollars per day for this account"),
    Entry("guard.accounts.month_usd", ACCOUNT_BUDGETS, "BACKEND/ALIAS = US dollars per month for this account"),
    Entry("guard.tags.day_usd", TAG_BUDGETS, "TAG = US dollars per day for requests with this x-fairlead-tag"),
    Entry("guard.tags.month_usd", TAG_BUDGETS, "TAG = US dollars per month for requests with this x-fairlead-tag"),
)
