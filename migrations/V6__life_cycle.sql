-- The life of a chunk: hot while its time is now and rows are appended, sealed once when its time is over, dropped when the
-- measurement's retention has passed it. What chunkwise does with a chunk it reads from here and from TimescaleDB's
-- catalog, and never remembers otherwise: it can be killed at any point and another process goes on.

-- What somebody has set of a measurement; NULL leaves it to chunkwise. (Its retention is in the first migration.)
ALTER TABLE chunkwise.measurement
    -- How long after a chunk's end it is sealed.
    ADD COLUMN seal_after     interval CHECK (seal_after >= interval '0'),
    -- The interval of new chunks; NULL follows the rate of the data.
    ADD COLUMN chunk_interval interval CHECK (chunk_interval > interval '0'),
    ADD CHECK (retention > interval '0');

-- What a settings' file says of measurements, also of such as do not exist yet: they begin with it.
CREATE TABLE chunkwise.measurement_default (
    namespace      text NOT NULL,
    name           text NOT NULL,
    seal_after     interval,
    retention      interval,
    chunk_interval interval,
    PRIMARY KEY (namespace, name)
);

-- What is known of a chunk beyond TimescaleDB's catalog. A chunk whose time is over and that has no row was not seen yet.
CREATE TABLE chunkwise.chunk (
    measurement_id int4 NOT NULL REFERENCES chunkwise.measurement ON DELETE CASCADE,
    -- The table, schema and name. TimescaleDB uses no name twice.
    chunk          text NOT NULL,
    -- The server's counter of rows inserted, updated and deleted, and when it was last seen to be another: whoever wrote.
    written        int8 NOT NULL DEFAULT 0,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    -- When its sealing was complete, the counter then, and how long it had taken.
    sealed_at      timestamptz,
    sealed_written int8,
    sealed_took    interval,
    -- Failures in a row, and when to try again.
    failures       int4 NOT NULL DEFAULT 0,
    retry_at       timestamptz,
    failure        text,
    PRIMARY KEY (measurement_id, chunk)
);

-- What was done, for people; nothing depends on it. Kept for 90 days.
CREATE TABLE chunkwise.chunk_event (
    id             int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- (Of a measurement that may be gone by now.)
    measurement_id int4 NOT NULL,
    -- NULL: of no single chunk.
    chunk          text,
    event          text NOT NULL CHECK (event IN ('sealed', 'resealed', 'dropped', 'interval')),
    began          timestamptz NOT NULL DEFAULT clock_timestamp(),
    took           interval NOT NULL DEFAULT '0',
    bytes_before   int8,
    bytes_after    int8,
    note           text
);
CREATE INDEX chunk_event_chunk ON chunkwise.chunk_event (measurement_id, chunk);
CREATE INDEX chunk_event_began ON chunkwise.chunk_event (began);

-- Every chunk of every measurement, for people. A chunk is sealed if chunkwise has finished it and what that made is still
-- there: its B-tree on (series_id, time), or its place in the columnstore.
--
-- In a function, whose body depends on nothing: an update of TimescaleDB drops its own views, and a view upon them would be
-- in the way.
CREATE FUNCTION chunkwise.list_chunks() RETURNS TABLE (
    namespace   text,
    measurement text,
    chunk       text,
    "from"      timestamptz,
    "to"        timestamptz,
    state       text,
    compressed  bool,
    -- Estimates: the server's counters, and what was counted when the chunk went to the columnstore.
    rows        int8,
    bytes       int8,
    index_bytes int8
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.namespace, m.name, c.chunk_schema || '.' || c.chunk_name, c.range_start, c.range_end,
           CASE WHEN k.sealed_at IS NOT NULL AND (c.is_compressed OR EXISTS (
                    SELECT FROM pg_index x WHERE x.indrelid = r.oid AND x.indisvalid AND x.indkey::text = '2 1'))
                THEN 'sealed' ELSE 'hot' END,
           c.is_compressed,
           CASE WHEN c.is_compressed THEN pg_stat_get_live_tuples(r.oid) + coalesce((
                    SELECT s.numrows_pre_compression FROM _timescaledb_catalog.compression_chunk_size s
                    JOIN _timescaledb_catalog.chunk t ON t.id = s.chunk_id
                    WHERE t.schema_name = c.chunk_schema AND t.table_name = c.chunk_name), 0)
                ELSE greatest(r.reltuples::int8, pg_stat_get_live_tuples(r.oid), 0) END,
           z.total_bytes::int8, z.index_bytes::int8
    FROM chunkwise.measurement m
    JOIN pg_namespace hn ON hn.nspname = m.namespace || '_store'
    JOIN pg_class h ON h.relnamespace = hn.oid AND h.relname = m.relation
    JOIN timescaledb_information.chunks c ON c.hypertable_schema = hn.nspname AND c.hypertable_name = h.relname
    JOIN pg_namespace n ON n.nspname = c.chunk_schema
    JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
    JOIN LATERAL chunks_detailed_size(h.oid::regclass) z
         ON z.chunk_schema = c.chunk_schema AND z.chunk_name = c.chunk_name
    LEFT JOIN chunkwise.chunk k ON k.measurement_id = m.id AND k.chunk = c.chunk_schema || '.' || c.chunk_name;
END $$;

CREATE VIEW chunkwise.chunks AS SELECT * FROM chunkwise.list_chunks();
COMMENT ON VIEW chunkwise.chunks IS 'chunkwise: every chunk of every measurement, its state and its size.';
