create table gone (
    -- Aggregates that ended for good. What was said of one before, and is told again, is of nobody: the same name may
    -- belong to another by then.
    subject text primary key,
    gone_at timestamptz not null default now()
);
create index gone_by_age on gone (gone_at);
