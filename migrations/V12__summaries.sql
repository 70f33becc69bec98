-- BRIN indexes learn of new pages from chunkwise alone: the server's own list of what is to be summarized has 256 places, each
-- stretch of a load beyond them is written to its log, and its worker keeps chunks locked that are to be sealed. Chunks that
-- are there keep the setting; new ones have it from these.
DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT r.oid FROM chunkwise.measurement m
        JOIN pg_namespace n ON n.nspname = m.namespace || '_store'
        JOIN pg_class t ON t.relnamespace = n.oid
            AND t.relname IN (m.relation, m.relation || '__bars_1m', m.relation || '__bars_5m', m.relation || '__bars_1h',
                              m.relation || '__bars_1d')
        JOIN pg_index i ON i.indrelid = t.oid
        JOIN pg_class r ON r.oid = i.indexrelid AND r.reloptions @> '{autosummarize=on}'
    LOOP
        EXECUTE format('ALTER INDEX %s RESET (autosummarize)', found);
    END LOOP;
END $$;
