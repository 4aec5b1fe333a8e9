-- A release says by what rules it is deployed, which images it names, and what of its bundle has no meaning here.

alter table release add column rules jsonb not null default '{}';
alter table release add column images text[] not null default '{}';
alter table release add column notices text[] not null default '{}';
alter table component add column enabled boolean not null default true;
alter table component add column timeout_seconds integer check (timeout_seconds > 0);
