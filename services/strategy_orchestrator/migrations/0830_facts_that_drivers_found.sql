alter table site add column found jsonb not null default '{}'; -- facts of its platform, as its drivers found them
