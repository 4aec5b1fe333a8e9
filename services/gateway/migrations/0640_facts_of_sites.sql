alter table site add column facts jsonb not null default '{}'; -- of its platform, as people told them
