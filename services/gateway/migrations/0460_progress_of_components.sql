-- What drivers do with which component, while an operation runs.
alter table operation add column doing jsonb not null default '[]';
