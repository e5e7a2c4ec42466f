-- An index that costs at each decision and that nothing needs: what waits is found by calendar_event_pending, and the oldest of it is
-- looked for by `status` alone, which counts all of it anyway. (One table a migration: who stores decisions locks
-- planner_resource first, so both in one could wait for each other.)
drop index calendar_event_oldest;
