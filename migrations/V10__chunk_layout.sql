-- How the rows of a measurement lie in its chunks.

-- Space partitions: each slice of time has several chunks, and a hash of the series says which of them a row goes to. They
-- are chosen when a measurement is made: TimescaleDB adds a dimension to an empty table only.
ALTER TABLE chunkwise.measurement ADD COLUMN space_partitions int4 CHECK (space_partitions BETWEEN 2 AND 64);
COMMENT ON COLUMN chunkwise.measurement.space_partitions IS 'chunks of a slice of time, by hash of the series; NULL: one';

-- Whether sealing leaves rows where they came, or rewrites them by series and time. The columnstore does that anyway.
ALTER TABLE chunkwise.measurement
    ADD COLUMN row_order text NOT NULL DEFAULT 'arrival' CHECK (row_order IN ('arrival', 'series'));

ALTER TABLE chunkwise.measurement_default ADD COLUMN space_partitions int4, ADD COLUMN row_order text;
