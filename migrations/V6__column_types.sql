-- A column that somebody gave another type by hand (ALTER TABLE public_store.ticks ALTER COLUMN size TYPE int8) still takes
-- the bytes of a binary COPY wherever their number happens to fit: those of a float8 are an int8, a timestamptz and a text
-- too. So the types are compared with the catalog's in each transaction that copies rows, by the trigger that every COPY
-- fires anyway: it costs no round trip, and the COPY's own lock holds the types as they are until COMMIT.
--
-- Raises CW003 where a column has another of the types that a field can have: the caller brings the catalog up to date and
-- prepares its rows anew. Any other type, with `others_too`, is a datatype_mismatch (42804): the rows cannot be written.

CREATE FUNCTION chunkwise.check_types(measurement int4, storage oid, others_too bool) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    field_types CONSTANT oid[] := ARRAY[
        'float8'::regtype, 'int8'::regtype, 'bool'::regtype, 'text'::regtype, 'timestamptz'::regtype]::oid[];
    changed record;
BEGIN
    SELECT a.attname AS name, a.atttypid = ANY (field_types) AND known.is_field AS is_known INTO changed
    FROM (
        SELECT c.column_name, true AS is_field,
               CASE c.type WHEN 'float8' THEN 'float8'::regtype WHEN 'int8' THEN 'int8'::regtype
                           WHEN 'bool' THEN 'bool'::regtype WHEN 'text' THEN 'text'::regtype
                           ELSE 'timestamptz'::regtype END AS type
        FROM chunkwise.measurement_column c WHERE c.measurement_id = measurement AND c.role = 'field'
        UNION ALL VALUES ('time', false, 'timestamptz'::regtype), ('series_id', false, 'int8'::regtype)
    ) AS known
    JOIN pg_attribute a ON a.attrelid = storage AND a.attname = known.column_name::name AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    -- A domain, and varchar and the like, have their values in the same bytes.
    WHERE a.atttypid <> known.type AND t.typbasetype <> known.type
          AND NOT (known.type = 'text'::regtype AND t.typcategory = 'S')
    ORDER BY is_known DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    ELSIF changed.is_known THEN
        RAISE EXCEPTION 'the column % was given another type', changed.name USING ERRCODE = 'CW003';
    ELSIF others_too THEN
        RAISE EXCEPTION 'the column % was given a type that no field has', changed.name USING ERRCODE = '42804';
    END IF;
END $$;

REVOKE EXECUTE ON FUNCTION chunkwise.check_types FROM PUBLIC;

CREATE OR REPLACE FUNCTION chunkwise.note_anywhere() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- chunkwise's own writers have noted their range already.
    IF current_setting('chunkwise.batch', true) = 'on' THEN
        PERFORM chunkwise.check_types(TG_ARGV[0]::int4, TG_RELID, true);
        RETURN NULL;
    END IF;
    INSERT INTO chunkwise.change (measurement_id) VALUES (TG_ARGV[0]::int4);
    RETURN NULL;
END $$;
