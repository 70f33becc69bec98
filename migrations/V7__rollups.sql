-- Rollups, last values, and what readers of the change log keep in the database.
--
-- A rollup is a plain hypertable beside a measurement's storage (public_store.ticks__bars_1m), the last values are a plain
-- table (public_store.ticks__latest). Both are made and kept by a job, from the ranges of time that the change log names.

-- When the job first saw an entry of unknown range: the server's counters are complete some seconds later.
ALTER TABLE chunkwise.change ADD COLUMN seen_at timestamptz;
-- All rows before this entry are gone.
ALTER TABLE chunkwise.change ADD COLUMN truncated bool NOT NULL DEFAULT false;
-- Readers begin at the oldest transaction that was under way at their last look.
CREATE INDEX change_xid ON chunkwise.change (measurement_id, xid);
CREATE INDEX change_unknown ON chunkwise.change (measurement_id) WHERE lo IS NULL;

CREATE OR REPLACE FUNCTION chunkwise.note_anywhere() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- chunkwise's own writers have noted their range already.
    IF current_setting('chunkwise.batch', true) = 'on' THEN
        RETURN NULL;
    END IF;
    INSERT INTO chunkwise.change (measurement_id, truncated) VALUES (TG_ARGV[0]::int4, TG_OP = 'TRUNCATE');
    RETURN NULL;
END $$;

-- Snapshots of now and then. An entry of the change log is deleted when a snapshot sees it that was taken long enough
-- ago: by its own time it could be that of a transaction that took a day and has only just been committed.
CREATE TABLE chunkwise.change_mark (
    taken_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
    snapshot pg_snapshot NOT NULL DEFAULT pg_current_snapshot()
);

-- How far a reader with a memory of its own in this database has read.
CREATE TABLE chunkwise.change_reader (
    reader         text NOT NULL,
    measurement_id int4 NOT NULL REFERENCES chunkwise.measurement ON DELETE CASCADE,
    snapshot       pg_snapshot NOT NULL,
    -- Of the server's cluster: numbers of transactions mean nothing in another one, where a dump was restored.
    system         int8 NOT NULL,
    looked_at      timestamptz NOT NULL,
    PRIMARY KEY (reader, measurement_id)
);

-- The server's counters of a measurement's chunks, from before the entries of unknown range that are not narrowed yet
-- were seen: a chunk whose counters differ has been changed since.
CREATE TABLE chunkwise.chunk_counter (
    measurement_id int4 NOT NULL REFERENCES chunkwise.measurement ON DELETE CASCADE,
    chunk          int8 NOT NULL,
    lo             timestamptz NOT NULL,
    hi             timestamptz NOT NULL,
    changes        int8 NOT NULL,
    -- Read later; takes the place of "changes" when what was seen until then is narrowed.
    next_changes   int8,
    PRIMARY KEY (measurement_id, chunk)
);
CREATE TABLE chunkwise.chunk_counted (
    measurement_id int4 PRIMARY KEY REFERENCES chunkwise.measurement ON DELETE CASCADE,
    next_read_at   timestamptz NOT NULL
);

-- What the rollup job knows of a measurement.
CREATE TABLE chunkwise.rollup (
    measurement_id int4 PRIMARY KEY REFERENCES chunkwise.measurement ON DELETE CASCADE,
    -- The measurement's epoch that the rollups are of.
    epoch          int8 NOT NULL,
    -- What the tables and views were made of: made anew when it would be another.
    shape          text NOT NULL DEFAULT '',
    -- The fields whose bars are "open, high, low, close" and "volume".
    price          text,
    size           text,
    -- The last time at which something has changed.
    newest         timestamptz NOT NULL DEFAULT '-infinity',
    -- The end of the latest chunk that was dropped: before it rows are missing that bars still know of.
    dropped_to     timestamptz NOT NULL DEFAULT '-infinity'
);

-- The levels of a measurement: '1m', '5m', '1h', '1d', and 'latest'. What begins before the watermark is in the level's
-- table, the rest is computed by whoever asks.
CREATE TABLE chunkwise.rollup_level (
    measurement_id int4 NOT NULL REFERENCES chunkwise.rollup ON DELETE CASCADE,
    level          text NOT NULL,
    watermark      timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (measurement_id, level)
);

-- Ranges below a level's watermark that have changed since: [lo, hi).
CREATE TABLE chunkwise.rollup_pending (
    id             int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    measurement_id int4 NOT NULL REFERENCES chunkwise.rollup ON DELETE CASCADE,
    level          text NOT NULL,
    lo             timestamptz,
    hi             timestamptz,
    -- Of unknown range: the transaction whose entry in the change log will say it.
    xid            xid8,
    CHECK ((lo IS NULL) = (hi IS NULL) AND (lo IS NULL) = (xid IS NOT NULL))
);
CREATE INDEX rollup_pending_level ON chunkwise.rollup_pending (measurement_id, level);
