"""The admin API: usage and records out of the ledger, quotas, and the live state of this process."""
