-- Mailboxes that were never read were claimed by this index until V25. As long as it names last_full_sync, noting a full read
-- writes an entry into each index of the table.
drop index planner_resource_never_read;
