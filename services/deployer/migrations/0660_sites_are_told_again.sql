-- One bucket after the other, so that not all sites are told in the same minute of a week.
alter table check_bucket add column retold_at timestamptz not null default now();
update check_bucket set retold_at = now() - bucket * interval '10 hours';
