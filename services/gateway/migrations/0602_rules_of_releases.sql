-- A release shows by what rules it is deployed, which images it names, and what of its bundle has no meaning here.

alter table release add column rules jsonb not null default '{}';
alter table release add column images jsonb not null default '[]';
alter table release add column notices jsonb not null default '[]';
