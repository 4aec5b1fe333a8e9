-- A release says by what rules it is deployed.

alter table release add column rules jsonb not null default '{}';
