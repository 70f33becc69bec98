-- Series without data for long are retired: left out of questions, not deleted, and awake again with the first row.
--
-- A row here is a series that sleeps. What wakes it is its deletion, in the transaction that writes the series' next row, so
-- that it is in answers from that commit on.
CREATE TABLE chunkwise.retired_series (
    series_id      int8 PRIMARY KEY,
    measurement_id int4 NOT NULL REFERENCES chunkwise.measurement ON DELETE CASCADE,
    retired_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX retired_series_measurement ON chunkwise.retired_series (measurement_id);

-- How often series of the measurement were retired. A writer says with each transaction which state it knows the sleeping
-- series of; waking does not raise it, because a writer that takes a series for asleep wakes it in vain and no more.
ALTER TABLE chunkwise.measurement
    ADD COLUMN retirements  int8 NOT NULL DEFAULT 0,
    -- When its series were last looked through.
    ADD COLUMN retired_look timestamptz;

-- The first statement of a write transaction, as before, and with what the writer knows of sleeping series:
--   retirements   for each measurement the state that it knows
--   wake          the ids, among those that it writes rows of, that sleep as far as it knows
-- Raises CW003 where series were retired since: the caller reads which, and tries again.

CREATE FUNCTION chunkwise.open_write(
    request_ids  uuid[],
    body_hashes  uuid[],
    written      int4[],
    refused      jsonb[],
    keep_seconds float8[],
    measurements int4[],
    epochs       int8[],
    lo           timestamptz[],
    hi           timestamptz[],
    retirements  int8[],
    wake         int8[]
) RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i int4;
BEGIN
    FOR i IN 1 .. coalesce(array_length(measurements, 1), 0) LOOP
        -- In the same order as below, so that nobody waits in a circle. Whoever retires series holds it exclusively.
        PERFORM pg_advisory_xact_lock_shared(1668771173, measurements[i]);
        PERFORM FROM chunkwise.measurement m
        WHERE m.id = measurements[i] AND m.epoch = epochs[i] AND m.retirements <> open_write.retirements[i];
        IF FOUND THEN
            RAISE EXCEPTION 'series of measurement % were retired', measurements[i] USING ERRCODE = 'CW003';
        END IF;
    END LOOP;

    IF array_length(wake, 1) > 0 THEN
        DELETE FROM chunkwise.retired_series r WHERE r.series_id = ANY (wake);
    END IF;

    RETURN QUERY SELECT * FROM chunkwise.open_write(
        request_ids, body_hashes, written, refused, keep_seconds, measurements, epochs, lo, hi);
END $$;

REVOKE EXECUTE ON FUNCTION chunkwise.open_write(
    uuid[], uuid[], int4[], jsonb[], float8[], int4[], int8[], timestamptz[], timestamptz[], int8[], int8[]) FROM PUBLIC;
