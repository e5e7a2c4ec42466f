-- What came of an operation, in words, as it was when it was done: a later fetch of the resource list says nothing of those that
-- were asked for before. Counts alone, no address (B6). Expand only: the version before writes none.
alter table operation add column outcome text;
