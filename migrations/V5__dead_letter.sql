-- Rows that only the database refuses: a CHECK, a unique index, a NOT NULL or a trigger that somebody added to a storage
-- table, a column that was given another type by hand. They are found one by one, the other rows of their request are
-- committed, and they are kept here with the reason, in the same transaction, so that nothing is lost without a trace.
--
-- Bounded: housekeeping keeps 30 days, and of those the newest million rows and the newest GiB.

CREATE TABLE chunkwise.dead_letter (
    id          int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    noted_at    timestamptz NOT NULL DEFAULT now(),
    namespace   text NOT NULL,
    measurement text NOT NULL,
    -- The protocol that the row came by.
    source      text NOT NULL,
    -- The request's id in the ledger.
    request_id  uuid NOT NULL,
    -- The row's own time.
    time        timestamptz NOT NULL,
    reason      text NOT NULL,
    -- The row in line protocol, its time in microseconds: sent to /write?precision=us it is that row again.
    line        text NOT NULL
);
CREATE INDEX dead_letter_measurement ON chunkwise.dead_letter (namespace, measurement, id);

-- How many of a request's refused lines are dead letters: part of the first answer.
ALTER TABLE chunkwise.ledger ADD COLUMN dead_lettered int4 NOT NULL DEFAULT 0;

-- The last statement of a write transaction of which rows were refused: keeps them, and corrects what the ledger says of
-- the request. Like open_write it runs with its owner's rights; it touches only a request that the same transaction has
-- entered.

CREATE FUNCTION chunkwise.set_aside(
    request      uuid,
    written      int4,
    refused      jsonb,
    source       text,
    namespaces   text[],
    measurements text[],
    times        timestamptz[],
    reasons      text[],
    lines        text[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chunkwise.ledger l
    SET written = set_aside.written, refused = set_aside.refused,
        dead_lettered = coalesce(array_length(set_aside.lines, 1), 0)
    WHERE l.id = set_aside.request AND l.xmin = pg_current_xact_id()::xid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % was not entered by this transaction', request USING ERRCODE = 'CW002';
    END IF;

    INSERT INTO chunkwise.dead_letter (namespace, measurement, source, request_id, time, reason, line)
    SELECT d.namespace, d.measurement, set_aside.source, set_aside.request, d.time, d.reason, d.line
    FROM unnest(namespaces, measurements, times, reasons, lines) WITH ORDINALITY
        AS d (namespace, measurement, time, reason, line, place)
    ORDER BY d.place;
END $$;

REVOKE EXECUTE ON FUNCTION chunkwise.set_aside FROM PUBLIC;
