alter table release add column requires jsonb not null default '{}';
