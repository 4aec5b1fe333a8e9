alter table operation add column last_lines jsonb not null default '[]';
