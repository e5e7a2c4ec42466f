-- When the reading of the last complete full read began, by the database's clock (not later than it really did): so it
-- can be compared with when an operator asked (operation.asked_at). Empty where an older version read last.
alter table planner_resource add column full_read_began_db timestamptz;
