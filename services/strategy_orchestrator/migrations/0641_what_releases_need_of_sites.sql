alter table release add column needs jsonb not null default '{}'; -- of a site, where it says any
