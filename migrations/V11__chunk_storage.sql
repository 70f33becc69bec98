-- What TimescaleDB's own catalog says of chunks, in whichever form the server's version has it: since 2.29 it names tables
-- by their number and keeps the columnstore's part in another table than before. Nothing else of chunkwise's reads that
-- catalog; what TimescaleDB promises to keep are its views (timescaledb_information) and functions.
--
-- The form is looked for at each call: an update of the extension may change it at any time.
CREATE FUNCTION chunkwise.chunk_storage() RETURNS TABLE (
    chunk              oid,
    -- Bits of a chunk that is in the columnstore: 2 out of order, 8 with rows beside it.
    status             int4,
    -- The table that the columnstore's part is in.
    compressed         oid,
    -- As they were when the chunk went to the columnstore.
    compressed_rows    int8,
    uncompressed_bytes int8
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = '_timescaledb_catalog.chunk'::regclass AND attname = 'relid' AND NOT attisdropped
    ) THEN
        RETURN QUERY EXECUTE
            'SELECT k.relid::oid, k.status, c.compress_relid::oid, s.numrows_pre_compression, s.uncompressed_heap_size
             FROM _timescaledb_catalog.chunk k
             LEFT JOIN _timescaledb_catalog.compression_settings c ON c.relid = k.relid
             LEFT JOIN _timescaledb_catalog.compression_chunk_size s ON s.chunk_id = k.id';
    ELSE
        RETURN QUERY EXECUTE
            'WITH named AS (
                 SELECT k.id, k.status, k.compressed_chunk_id, r.oid
                 FROM _timescaledb_catalog.chunk k
                 JOIN pg_namespace n ON n.nspname = k.schema_name
                 JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = k.table_name
             )
             SELECT k.oid, k.status, z.oid, s.numrows_pre_compression, s.uncompressed_heap_size
             FROM named k
             LEFT JOIN named z ON z.id = k.compressed_chunk_id
             LEFT JOIN _timescaledb_catalog.compression_chunk_size s ON s.chunk_id = k.id';
    END IF;
END $$;

-- As before, by the function above, and with the sizes of each chunk alone: TimescaleDB's function for them looks at all
-- chunks of a hypertable, and was asked for each of them.
CREATE OR REPLACE FUNCTION chunkwise.list_chunks() RETURNS TABLE (
    namespace   text,
    measurement text,
    chunk       text,
    "from"      timestamptz,
    "to"        timestamptz,
    state       text,
    compressed  bool,
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
           CASE WHEN c.is_compressed THEN pg_stat_get_live_tuples(r.oid) + coalesce(t.compressed_rows, 0)
                ELSE greatest(r.reltuples::int8, pg_stat_get_live_tuples(r.oid), 0) END,
           -- NULL of what is dropped at this moment.
           coalesce(pg_total_relation_size(r.oid), 0) + coalesce(pg_total_relation_size(t.compressed), 0),
           coalesce(pg_indexes_size(r.oid), 0) + coalesce(pg_indexes_size(t.compressed), 0)
    FROM chunkwise.measurement m
    JOIN pg_namespace hn ON hn.nspname = m.namespace || '_store'
    JOIN pg_class h ON h.relnamespace = hn.oid AND h.relname = m.relation
    JOIN timescaledb_information.chunks c ON c.hypertable_schema = hn.nspname AND c.hypertable_name = h.relname
    JOIN pg_namespace n ON n.nspname = c.chunk_schema
    JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = c.chunk_name
    LEFT JOIN chunkwise.chunk_storage() t ON t.chunk = r.oid
    LEFT JOIN chunkwise.chunk k ON k.measurement_id = m.id AND k.chunk = c.chunk_schema || '.' || c.chunk_name;
END $$;

-- Of which table, on which cluster, the counters of chunks are. Where a dump was restored they are another's, whose chunks are
-- not gone: they have other numbers. NULL, from before there was this, is taken for the same.
ALTER TABLE chunkwise.chunk_counted
    ADD COLUMN storage oid,
    ADD COLUMN system  int8;
