-- The first statement of every write transaction, in one round trip:
--   1. marks the transaction as chunkwise's own, for the change log's triggers;
--   2. takes each measurement's advisory lock, shared, and checks that its epoch is the one that the rows were prepared
--      for: deleting or remaking a measurement takes the lock exclusively and raises the epoch, so that no row goes to an
--      id or a table that is gone;
--   3. enters the requests in the ledger, in id order, so that two transactions with the same requests cannot wait for
--      each other in a circle. A second transaction with the same id waits here for the first;
--   4. notes the time range of each measurement in the change log.
-- Returns the ids that are new. The rows of the others must not be written.
--
-- It runs with its owner's rights: a writer needs none on the ledger and the change log, and cannot forge them otherwise.
--
-- Raises CW001 when an epoch has changed: the caller prepares its rows anew.

CREATE FUNCTION chunkwise.open_write(
    request_ids  uuid[],
    body_hashes  uuid[],
    written      int4[],
    refused      jsonb[],
    keep_seconds float8[],
    measurements int4[],
    epochs       int8[],
    lo           timestamptz[],
    hi           timestamptz[]
) RETURNS SETOF uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i int4;
BEGIN
    PERFORM set_config('chunkwise.batch', 'on', true);

    FOR i IN 1 .. coalesce(array_length(measurements, 1), 0) LOOP
        -- 1668771173 is "cwme" in ASCII: chunkwise, measurement.
        PERFORM pg_advisory_xact_lock_shared(1668771173, measurements[i]);
        PERFORM FROM chunkwise.measurement m WHERE m.id = measurements[i] AND m.epoch = epochs[i];
        IF NOT FOUND THEN
            RAISE EXCEPTION 'measurement % was dropped or made anew', measurements[i] USING ERRCODE = 'CW001';
        END IF;
    END LOOP;

    INSERT INTO chunkwise.change (measurement_id, lo, hi)
    SELECT c.measurement_id, c.lo, c.hi FROM unnest(measurements, lo, hi) AS c (measurement_id, lo, hi);

    RETURN QUERY
    INSERT INTO chunkwise.ledger AS ledger (id, body_hash, written, refused, expires_at)
    SELECT r.id, r.body_hash, r.written, r.refused, now() + make_interval(secs => r.keep_seconds)
    FROM unnest(request_ids, body_hashes, written, refused, keep_seconds)
        AS r (id, body_hash, written, refused, keep_seconds)
    ORDER BY r.id
    ON CONFLICT (id) DO UPDATE
        SET body_hash = excluded.body_hash, written = excluded.written, refused = excluded.refused,
            expires_at = excluded.expires_at
        WHERE ledger.expires_at < now()
    RETURNING ledger.id;
END $$;

REVOKE EXECUTE ON FUNCTION chunkwise.open_write FROM PUBLIC;
