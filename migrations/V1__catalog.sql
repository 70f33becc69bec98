-- chunkwise's own tables live in the schema "chunkwise"; nothing of a user's is ever put there.
--
-- A measurement is a hypertable in a storage schema (public_store.prices), a series table beside it
-- (public_store.prices__series) and a view that joins the two for people (public.prices). Measurements come and
-- grow while data stream in, so their tables are made by code; what is made is written down here.

-- In "public", whatever the search path is: its functions are called without a schema by everybody.
CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public;

-- (It exists already where the list of applied migrations, chunkwise.migration, was made in it.)
CREATE SCHEMA IF NOT EXISTS chunkwise;
COMMENT ON SCHEMA chunkwise IS 'chunkwise: catalog, ledger and change log. Measurements are in other schemas.';

-- A role named like this schema (the embedded server's is) would by PostgreSQL's default search path ("$user", public)
-- find and make its own tables in here.
DO $$ BEGIN
    IF current_user = 'chunkwise' THEN
        EXECUTE format('ALTER ROLE chunkwise IN DATABASE %I SET search_path = public', current_database());
    END IF;
END $$;

-- A namespace is a pair of schemas: <name> for the views, <name>_store for the tables.
CREATE TABLE chunkwise.namespace (
    name       text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One sequence for all measurements: an id is never used twice, not even after a measurement was dropped and made anew.
CREATE SEQUENCE chunkwise.series_id;

CREATE TABLE chunkwise.measurement (
    id           int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace    text NOT NULL REFERENCES chunkwise.namespace,
    -- As clients write it; any UTF-8.
    name         text NOT NULL,
    -- The name of the view and of the storage table: the same, or a generated one where the name would not do.
    relation     text NOT NULL,
    -- Raised whenever the table's rows or ids lose their meaning; every write checks the epoch that it prepared for. It
    -- begins with the clock, so that another database's measurement of the same number is not taken for this one.
    epoch        int8 NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::int8,
    on_duplicate text NOT NULL DEFAULT 'keep' CHECK (on_duplicate IN ('keep', 'replace')),
    -- NULL keeps rows for ever.
    retention    interval,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (namespace, name),
    UNIQUE (namespace, relation)
);

-- Tags and fields in their order of arrival, which is the order of the view's columns after "time".
CREATE TABLE chunkwise.measurement_column (
    measurement_id int4 NOT NULL REFERENCES chunkwise.measurement ON DELETE CASCADE,
    position       int4 NOT NULL,
    name           text NOT NULL,
    column_name    text NOT NULL,
    role           text NOT NULL CHECK (role IN ('tag', 'field')),
    type           text NOT NULL CHECK (type IN ('float8', 'int8', 'bool', 'text', 'timestamptz')),
    PRIMARY KEY (measurement_id, name),
    UNIQUE (measurement_id, column_name),
    UNIQUE (measurement_id, position),
    CHECK (role = 'field' OR type = 'text')
);

-- The namespace that everybody starts with. Its view schema is the one that every database has.
INSERT INTO chunkwise.namespace (name) VALUES ('public');
CREATE SCHEMA public_store;
COMMENT ON SCHEMA public_store IS 'chunkwise: storage of the namespace "public". Corrections (UPDATE, DELETE) go here.';
