-- The change log: which time ranges of which measurement changed, and in which transaction.
--
-- Everything that is derived from rows (cached blocks, rollups, last values) follows this one table. chunkwise's writers
-- add the range of each batch in the batch's own transaction. What other clients do to a hypertable is caught by
-- statement triggers: the exact range of an UPDATE or DELETE; a row without a range, which means "anywhere", for an
-- INSERT, COPY or TRUNCATE, where a transition table would cost every row.
--
-- Readers keep the pg_snapshot of their last look and take the rows that were not visible in it and are now. Rows are
-- kept for a day, and the newest of each measurement for ever; a reader whose last look is older starts anew.

CREATE TABLE chunkwise.change (
    id             int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    measurement_id int4 NOT NULL,
    -- The first and the last changed time, both included; both NULL: anywhere.
    lo             timestamptz,
    hi             timestamptz,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    noted_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((lo IS NULL) = (hi IS NULL))
);
CREATE INDEX change_measurement ON chunkwise.change (measurement_id, id);
CREATE INDEX change_noted_at ON chunkwise.change USING brin (noted_at);

-- The trigger functions run with their owner's rights, so that whoever may change rows can note it without any right on
-- the log itself. Their argument is the measurement's id.

CREATE FUNCTION chunkwise.note_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO chunkwise.change (measurement_id, lo, hi)
    SELECT TG_ARGV[0]::int4, min(time), max(time)
    FROM (SELECT time FROM old_rows UNION ALL SELECT time FROM new_rows) AS changed
    HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION chunkwise.note_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO chunkwise.change (measurement_id, lo, hi)
    SELECT TG_ARGV[0]::int4, min(time), max(time) FROM old_rows HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION chunkwise.note_anywhere() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- chunkwise's own writers have noted their range already.
    IF current_setting('chunkwise.batch', true) = 'on' THEN
        RETURN NULL;
    END IF;
    INSERT INTO chunkwise.change (measurement_id) VALUES (TG_ARGV[0]::int4);
    RETURN NULL;
END $$;
