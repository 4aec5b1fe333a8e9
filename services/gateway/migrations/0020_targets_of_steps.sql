alter table strategy add column targets jsonb not null default '[]';
alter table step add column target text;
