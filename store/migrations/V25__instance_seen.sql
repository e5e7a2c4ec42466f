-- When an instance was last heard of: written whenever its row is renewed. From then until expires_at it is taken to be alive
-- without another word, so operators are told how long it has been silent. Null: a version that does not say. Expand only.
alter table instance add column seen_at timestamptz;
