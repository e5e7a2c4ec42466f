-- Does this instance send to Planner, or does it rehearse (planner.dry_run)? Null: it has no part in sending, or it is of a
-- version that does not say. Operators' commands tell by it what the service does, whatever stands in their own file.
-- Expand only.
alter table instance add column sends boolean;
