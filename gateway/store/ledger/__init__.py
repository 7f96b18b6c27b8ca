"""The ledger: one row for each exchange, in SQLite or PostgreSQL, written behind the requests.

    from              by                        to
    a finished record writer (a list in memory) fitting, and every 100 ms bringing
    a charged one     writer, at once           spool, before its request is over
    bringing          a batch, one transaction  sqlite | postgres: rows, and the totals of their days
    away, or too slow writer                    spool, and from there bringing again when the database is back
    queries, balances usage, records, balances  the totals of days where they do, else the rows

protocol.py says what a database is asked, columns.py what a row is, migrations.py how tables come to be.
"""
