-- The work that any machine can do.  The queue's own tables come beside it (`schema/__init__.py`); what is true is here.

-- `state` is open until the unit ended.  `started` counts its attempts.  `worker` is who has it at work now, and `alone`
-- whether nothing else ran beside it (`solo` times): only then is it to blame when that worker dies (`killed`).  A `suspect`
-- was at work when a worker died; it is executed alone.
CREATE TABLE units (
  key text PRIMARY KEY, kind text NOT NULL, unit json NOT NULL, attempt bigint, number int, address text NOT NULL DEFAULT '',
  dies_at double precision, priority int NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'made', 'failed', 'parked')), ended json,
  started int NOT NULL DEFAULT 0, worker bigint, alone boolean NOT NULL DEFAULT false, suspect boolean NOT NULL DEFAULT false,
  solo int NOT NULL DEFAULT 0, killed int NOT NULL DEFAULT 0,
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(), ended_at timestamptz
);
CREATE INDEX units_open ON units (kind, asked_at) WHERE state = 'open';
CREATE INDEX units_parked ON units (kind) WHERE state = 'parked';
CREATE INDEX units_by_worker ON units (worker) WHERE worker IS NOT NULL;

-- A worker that has not ended and whose beat is older than the lease is dead.  `parent` is the process that starts it once
-- more: the next one takes its place.
CREATE TABLE workers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, host text NOT NULL, pid int NOT NULL, parent int, kinds text[] NOT NULL, jobs int NOT NULL,
  began timestamptz NOT NULL DEFAULT clock_timestamp(), beat timestamptz NOT NULL DEFAULT clock_timestamp(), ended timestamptz
);
CREATE INDEX workers_alive ON workers (beat) WHERE ended IS NULL;
