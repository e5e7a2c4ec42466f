-- An instance that is up and not able to work yet (Exchange lets none of its accounts in) takes no share of the affinity
-- groups and qualifier shards. Expand only: the version before reckons with it and writes true by default.
alter table instance add column takes_share boolean not null default true;
