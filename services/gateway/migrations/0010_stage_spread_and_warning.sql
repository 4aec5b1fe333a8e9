alter table stage
    add column warning jsonb,
    add column spread jsonb not null default '[]',
    add column spread_more integer not null default 0;
