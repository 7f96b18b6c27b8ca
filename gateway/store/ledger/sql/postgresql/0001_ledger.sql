-- Rows, one for each exchange, in partitions of a month (gateway/store/ledger/partitions.py makes and drops them).
-- Money is nano-USD. The primary key is also the order in which rows are read.
CREATE TABLE ledger_rows (
    time timestamptz NOT NULL,
    id text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    caller text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    end_user text COLLATE "C" NOT NULL,
    router text COLLATE "C" NOT NULL,
    config text COLLATE "C" NOT NULL,
    dialect text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    stream boolean NOT NULL,
    asked text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    provider_key text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    status integer NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    error_code text COLLATE "C" NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    cache_write_5m_tokens bigint NOT NULL,
    cache_write_1h_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    audio_input_tokens bigint NOT NULL,
    audio_output_tokens bigint NOT NULL,
    audio_cached_tokens bigint NOT NULL,
    image_input_tokens bigint NOT NULL,
    image_cached_tokens bigint NOT NULL,
    image_output_tokens bigint NOT NULL,
    metered boolean NOT NULL,
    cost bigint,
    price_source text COLLATE "C" NOT NULL,
    cache text COLLATE "C" NOT NULL,
    saved bigint NOT NULL,
    saved_by text COLLATE "C" NOT NULL,
    seconds double precision NOT NULL,
    first_byte double precision NOT NULL,
    max_tokens bigint NOT NULL,
    attempts jsonb NOT NULL,
    losses jsonb NOT NULL,
    PRIMARY KEY (time, id)
) PARTITION BY RANGE (time);

-- Totals of a UTC day, kept up to date by the statement that inserts rows. Room is left in the pages, so that an update
-- of a total touches no index.
CREATE TABLE ledger_days (
    day date NOT NULL,
    team text COLLATE "C" NOT NULL,
    caller text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    router text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    status integer NOT NULL,
    requests bigint NOT NULL,
    failed bigint NOT NULL,
    input bigint NOT NULL,
    output bigint NOT NULL,
    cached bigint NOT NULL,
    cache_write bigint NOT NULL,
    reasoning bigint NOT NULL,
    cost bigint NOT NULL,
    unpriced bigint NOT NULL,
    saved bigint NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (day, team, caller, project, router, provider, model, operation, status)
) WITH (fillfactor = 80);
CREATE INDEX ledger_days_caller ON ledger_days (caller, day);
CREATE INDEX ledger_days_router ON ledger_days (router, day);

-- The same by team and project alone: what is asked most, however many callers and models there are.
CREATE TABLE ledger_team_days (
    day date NOT NULL,
    team text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    requests bigint NOT NULL,
    failed bigint NOT NULL,
    input bigint NOT NULL,
    output bigint NOT NULL,
    cached bigint NOT NULL,
    cache_write bigint NOT NULL,
    reasoning bigint NOT NULL,
    cost bigint NOT NULL,
    unpriced bigint NOT NULL,
    saved bigint NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (day, team, project)
) WITH (fillfactor = 80);
CREATE INDEX ledger_team_days_team ON ledger_team_days (team, day);
CREATE INDEX ledger_team_days_project ON ledger_team_days (project, day);

-- Changes of prepaid balances, in the order in which they came.
CREATE TABLE ledger_quotas (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    change text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    time double precision NOT NULL,
    made_by text NOT NULL,
    note text NOT NULL
);
CREATE INDEX ledger_quotas_consumer ON ledger_quotas (kind, name, seq);

-- What a consumer spent from `since` to the end of that day, kept when the rows of the day are deleted.
CREATE TABLE ledger_edges (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    since double precision NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (kind, name, since)
);
