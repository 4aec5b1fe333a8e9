alter table strategy add column actions jsonb not null default '[]';
