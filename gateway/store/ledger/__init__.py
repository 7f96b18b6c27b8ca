"""The ledger: one row for each exchange, in SQLite or PostgreSQL."""
