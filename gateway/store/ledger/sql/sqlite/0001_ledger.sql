-- Rows, one for each exchange. Money is nano-USD, time Unix seconds. The key is also the order in which rows are read.
CREATE TABLE ledger_rows (
    time REAL NOT NULL,
    id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    team TEXT NOT NULL,
    project TEXT NOT NULL,
    end_user TEXT NOT NULL,
    router TEXT NOT NULL,
    config TEXT NOT NULL,
    dialect TEXT NOT NULL,
    operation TEXT NOT NULL,
    stream INTEGER NOT NULL,
    asked TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    provider_key TEXT NOT NULL,
    rule TEXT NOT NULL,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    error_code TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    audio_input_tokens INTEGER NOT NULL,
    audio_output_tokens INTEGER NOT NULL,
    audio_cached_tokens INTEGER NOT NULL,
    image_input_tokens INTEGER NOT NULL,
    image_cached_tokens INTEGER NOT NULL,
    image_output_tokens INTEGER NOT NULL,
    metered INTEGER NOT NULL,
    cost INTEGER,
    price_source TEXT NOT NULL,
    cache TEXT NOT NULL,
    saved INTEGER NOT NULL,
    saved_by TEXT NOT NULL,
    seconds REAL NOT NULL,
    first_byte REAL NOT NULL,
    max_tokens INTEGER NOT NULL,
    attempts TEXT NOT NULL,
    losses TEXT NOT NULL,
    UNIQUE (time, id)
);

-- Totals of a UTC day, kept up to date by the transaction that inserts rows.
CREATE TABLE ledger_days (
    day TEXT NOT NULL,
    team TEXT NOT NULL,
    caller TEXT NOT NULL,
    project TEXT NOT NULL,
    router TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    operation TEXT NOT NULL,
    status INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (day, team, caller, project, router, provider, model, operation, status)
) WITHOUT ROWID;
CREATE INDEX ledger_days_caller ON ledger_days (caller, day);
CREATE INDEX ledger_days_router ON ledger_days (router, day);

-- The same by team and project alone: what is asked most, however many callers and models there are.
CREATE TABLE ledger_team_days (
    day TEXT NOT NULL,
    team TEXT NOT NULL,
    project TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (day, team, project)
) WITHOUT ROWID;
CREATE INDEX ledger_team_days_team ON ledger_team_days (team, day);
CREATE INDEX ledger_team_days_project ON ledger_team_days (project, day);

-- Changes of prepaid balances, in the order in which they came.
CREATE TABLE ledger_quotas (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    change TEXT NOT NULL,
    amount INTEGER NOT NULL,
    time REAL NOT NULL,
    made_by TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX ledger_quotas_consumer ON ledger_quotas (kind, name, seq);

-- What a consumer spent from `since` to the end of that day, kept when the rows of the day are deleted.
CREATE TABLE ledger_edges (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    since REAL NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (kind, name, since)
) WITHOUT ROWID;
