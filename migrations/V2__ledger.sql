-- The ledger: which requests have been committed.
--
-- Every write transaction inserts a row for each request that it carries, together with the requests' rows. A request
-- that comes again (a client that timed out, a load that was started again) finds its id here, gets the first answer
-- again and writes nothing. The id is the client's key, else a hash of the body, else a fresh one.

CREATE TABLE chunkwise.ledger (
    id         uuid PRIMARY KEY,
    -- A hash of what was sent: the same key with another body is a client's mistake, not a repetition.
    body_hash  uuid NOT NULL,
    written    int4 NOT NULL,
    -- The refused lines of the first answer; NULL where there were none.
    refused    jsonb,
    -- An hour for hashes of bodies, days for keys: always longer than the oldest repetition that can still come.
    expires_at timestamptz NOT NULL
);

-- Expired rows are deleted in small steps.
CREATE INDEX ledger_expires_at ON chunkwise.ledger (expires_at);
