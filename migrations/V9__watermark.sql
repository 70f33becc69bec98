-- Up to where a level's bars are in its table; what begins later is computed by the views.
--
-- It is called immutable, which it is not, so that the planner knows the time and leaves out chunks before it plans to read
-- them: of the rows a question about last month then has no chunk at all, however many there are. A plan that is kept has the
-- watermark of when it was made, and is right with it: what was made since is computed once more, from rows and narrower bars
-- that are still there. Kept plans are made anew whenever a chunk comes or goes.
--
-- With its owner's rights: whoever may read the views need not read chunkwise's tables.
CREATE FUNCTION chunkwise.watermark(measurement int4, rollup text) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(
        (SELECT l.watermark FROM chunkwise.rollup_level l WHERE l.measurement_id = measurement AND l.level = rollup),
        '-infinity');
END $$;
GRANT EXECUTE ON FUNCTION chunkwise.watermark TO PUBLIC;
