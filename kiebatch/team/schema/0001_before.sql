-- The records of a team: who may spend, who is at work, every attempt, its outputs, and the rate window.
-- All times are the server's.

CREATE TABLE about (name text PRIMARY KEY, value text NOT NULL);

-- The moment that everything here goes by.  Tests that run on simulated time set `kiebatch.now`; nothing else does.
CREATE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(to_timestamp(nullif(current_setting('kiebatch.now', true), '')::double precision), clock_timestamp())
$$;

-- `reserved` is the price of what is open, `spent` that of what is over; the trigger below keeps both.
CREATE TABLE accounts (
  id text PRIMARY KEY, cap numeric, per text CHECK (per IN ('month')), period date,
  reserved numeric NOT NULL DEFAULT 0, spent numeric NOT NULL DEFAULT 0
);

CREATE TABLE projects (id text PRIMARY KEY, name text NOT NULL, seen_at timestamptz NOT NULL DEFAULT ledger_now());

-- A run that has not ended and whose beat is older than the lease is dead.  `answer_s` is the longest that it waits
-- for an answer to a submission.
CREATE TABLE runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL REFERENCES accounts (id), run_id text NOT NULL,
  project text NOT NULL REFERENCES projects (id), film text NOT NULL, host text NOT NULL, who text NOT NULL, answer_s double precision NOT NULL,
  began timestamptz NOT NULL DEFAULT ledger_now(), beat timestamptz NOT NULL DEFAULT ledger_now(),
  ended timestamptz, died boolean NOT NULL DEFAULT false
);
CREATE INDEX runs_alive ON runs (account) WHERE ended IS NULL;

-- `run_id` is the run that paid; `holder` the one that has the attempt now; `price` what it counts for under the cap;
-- `token` makes a claim that was cut off the same claim when it comes again.
CREATE TABLE attempts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL REFERENCES accounts (id), project text NOT NULL REFERENCES projects (id),
  film text NOT NULL, holder bigint REFERENCES runs (id), token text UNIQUE, run_id text NOT NULL, slot text NOT NULL, scene text NOT NULL,
  model text NOT NULL, family text NOT NULL, fingerprint text NOT NULL, take int NOT NULL, twin int NOT NULL, edition int NOT NULL,
  state text NOT NULL, job json NOT NULL, task_id text, code text NOT NULL DEFAULT '', message text NOT NULL DEFAULT '',
  retryable boolean NOT NULL DEFAULT false, billed boolean, credits double precision, price numeric NOT NULL DEFAULT 0,
  intended_at timestamptz NOT NULL DEFAULT ledger_now(), send_before timestamptz, answer_by timestamptz,
  submitted_at timestamptz, ended_at timestamptz, balance_before double precision, balance_after double precision,
  recorded boolean NOT NULL DEFAULT false, may_resubmit boolean NOT NULL DEFAULT false,
  seen_state text NOT NULL DEFAULT '', seen_at timestamptz
);
-- The line that makes "never twice" true for every machine.
CREATE UNIQUE INDEX one_at_a_time ON attempts (account, fingerprint, take, twin, edition)
  WHERE state IN ('claimed', 'intended', 'held', 'submitted', 'lost', 'saved');
CREATE UNIQUE INDEX one_task ON attempts (account, task_id) WHERE task_id IS NOT NULL;
CREATE INDEX attempts_of_film ON attempts (project, film, id);
CREATE INDEX attempts_by_content ON attempts (account, fingerprint);
CREATE INDEX attempts_open ON attempts (account, state) WHERE state IN ('claimed', 'intended', 'held', 'submitted', 'lost');
CREATE INDEX attempts_by_holder ON attempts (holder) WHERE state IN ('claimed', 'intended');

-- `entry` is what the manifest says once the file is in its place.  `stored_at` is set when the bytes lie in the
-- object store under `sha256`; `facts` is what a probe of them said.
CREATE TABLE outputs (
  attempt bigint NOT NULL REFERENCES attempts (id), number int NOT NULL, url text, text text, label text NOT NULL DEFAULT '',
  output_id text NOT NULL DEFAULT '', seen_at timestamptz NOT NULL DEFAULT ledger_now(), entry json,
  sha256 text, bytes bigint, facts json, stored_at timestamptz,
  PRIMARY KEY (attempt, number)
);
CREATE INDEX outputs_not_stored ON outputs (seen_at) WHERE stored_at IS NULL AND url IS NOT NULL;

-- The books of starts (one an account) and of reads (one a key); seconds since the epoch.
CREATE TABLE booked (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, book text NOT NULL, sent_at double precision NOT NULL,
  answered_at double precision, probe boolean NOT NULL DEFAULT false, refused boolean NOT NULL DEFAULT false
);
CREATE INDEX booked_at ON booked (book, sent_at);
CREATE TABLE shares (
  book text PRIMARY KEY, starts int NOT NULL, probe_after double precision NOT NULL, hold_s double precision NOT NULL,
  before_s double precision NOT NULL, refused_at double precision NOT NULL, paused_until double precision NOT NULL, strikes int NOT NULL
);

-- --- money --------------------------------------------------------------------------------------------

CREATE FUNCTION reserved_of(state text, price numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN state IN ('claimed', 'intended', 'held', 'submitted', 'lost') THEN price ELSE 0 END
$$;

-- What a person forgot may have been charged, and so may a failure of which nobody said that it was given back.
CREATE FUNCTION spent_of(state text, price numeric, billed boolean) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN state IN ('saved', 'forgotten') OR (state = 'failed' AND billed IS NOT FALSE) THEN price ELSE 0 END
$$;

CREATE FUNCTION keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE more_reserved numeric; more_spent numeric;
BEGIN
  more_reserved := reserved_of(NEW.state, NEW.price);
  more_spent := spent_of(NEW.state, NEW.price, NEW.billed);
  IF TG_OP = 'UPDATE' THEN
    more_reserved := more_reserved - reserved_of(OLD.state, OLD.price);
    more_spent := more_spent - spent_of(OLD.state, OLD.price, OLD.billed);
  END IF;
  IF more_reserved <> 0 OR more_spent <> 0 THEN
    UPDATE accounts SET reserved = reserved + more_reserved, spent = spent + more_spent WHERE id = NEW.account;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_account AFTER INSERT OR UPDATE OF state, price, billed ON attempts FOR EACH ROW EXECUTE FUNCTION keep_account();

-- Claim a key, and reserve its price, in one step; nothing may be sent yet.
-- - claimed: `attempt` is ours
-- - taken: `attempt` is in the way
-- - no-room: spent + reserved + price would pass the cap
-- - fenced: this run was declared dead
-- A plain claim is answered by whatever anybody of the account has.  One that is `forced`, or whose decision knew of an
-- attempt of this film (`p_seen`), makes the next edition.
CREATE FUNCTION claim(
  p_token text, p_account text, p_holder bigint, p_project text, p_film text, p_run_id text, p_slot text, p_scene text, p_model text,
  p_family text, p_content text, p_take int, p_twin int, p_job json, p_credits double precision, p_price double precision, p_balance double precision,
  p_seen bigint, p_forced boolean
) RETURNS TABLE (verdict text, attempt bigint, edition int) LANGUAGE plpgsql AS $$
DECLARE acc accounts%ROWTYPE; counts numeric := p_price::numeric; month date := date_trunc('month', ledger_now())::date;
BEGIN
  SELECT a.id, a.edition INTO attempt, edition FROM attempts a WHERE a.token = p_token;
  IF FOUND THEN verdict := 'claimed'; RETURN NEXT; RETURN; END IF;
  SELECT * INTO acc FROM accounts WHERE id = p_account FOR NO KEY UPDATE;  -- one claim of an account after the other
  PERFORM 1 FROM runs WHERE id = p_holder AND ended IS NULL;
  IF acc.id IS NULL OR NOT FOUND THEN verdict := 'fenced'; RETURN NEXT; RETURN; END IF;
  SELECT a.id INTO attempt FROM attempts a
    WHERE a.account = p_account AND a.fingerprint = p_content AND a.take = p_take AND a.twin = p_twin
      AND a.state IN ('claimed', 'intended', 'held', 'submitted', 'lost', 'saved')
      AND CASE WHEN a.project = p_project AND a.film = p_film THEN a.state <> 'saved' OR coalesce(a.id > p_seen, false)
               ELSE NOT p_forced END
    ORDER BY a.edition DESC, a.id DESC LIMIT 1;
  IF FOUND THEN verdict := 'taken'; RETURN NEXT; RETURN; END IF;
  IF acc.per = 'month' AND acc.period IS DISTINCT FROM month THEN
    acc.spent := 0;
    UPDATE accounts SET period = month, spent = 0 WHERE id = p_account;
  END IF;
  IF acc.cap IS NOT NULL AND acc.spent + acc.reserved + counts > acc.cap + 0.000001 THEN
    verdict := 'no-room'; RETURN NEXT; RETURN;
  END IF;
  SELECT coalesce(max(a.edition) + 1, 0) INTO edition FROM attempts a
    WHERE a.account = p_account AND a.fingerprint = p_content AND a.take = p_take AND a.twin = p_twin
      AND a.state IN ('claimed', 'intended', 'held', 'submitted', 'lost', 'saved');
  INSERT INTO attempts (account, project, film, holder, token, run_id, slot, scene, model, family, fingerprint, take, twin, edition, state,
      job, credits, price, balance_before)
    VALUES (p_account, p_project, p_film, p_holder, p_token, p_run_id, p_slot, p_scene, p_model, p_family, p_content, p_take, p_twin,
      claim.edition, 'claimed', p_job, p_credits, counts, p_balance)
    RETURNING attempts.id INTO attempt;
  verdict := 'claimed'; RETURN NEXT;
END $$;

-- Bury the dead of an account: their claims are free, and what they may have sent is held once no answer can come any more.
CREATE FUNCTION reap(p_account text, p_dead_s double precision) RETURNS int LANGUAGE plpgsql AS $$
DECLARE buried int;
BEGIN
  UPDATE runs SET ended = ledger_now(), died = true
    WHERE account = p_account AND ended IS NULL AND beat < ledger_now() - make_interval(secs => p_dead_s);
  GET DIAGNOSTICS buried = ROW_COUNT;
  UPDATE attempts a SET state = 'refused', code = 'not-sent', retryable = true, billed = false, ended_at = ledger_now(),
      message = 'the run that had claimed it ended before it was sent'
    FROM runs r WHERE r.id = a.holder AND r.ended IS NOT NULL AND a.account = p_account AND a.state = 'claimed';
  UPDATE attempts a SET state = 'held', ended_at = ledger_now(),
      message = 'the program ended before the provider''s answer was written down'
    FROM runs r WHERE r.id = a.holder AND r.ended IS NOT NULL AND a.account = p_account AND a.state = 'intended'
      AND a.answer_by < ledger_now();
  RETURN buried;
END $$;
