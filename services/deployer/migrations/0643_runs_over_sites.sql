create table site_run (
    -- Several operations on one site, one after the other: they go on whoever is killed.
    id text primary key, -- that of the command
    site text not null,
    kind text not null check (kind in ('update', 'rollback', 'apply', 'remove')),
    state text not null check (state in ('running', 'stopping', 'done', 'failed', 'aborted')),
    go_on boolean not null, -- after a failure, too
    prereleases boolean not null,
    timeout_seconds integer not null,
    strategy_id text,
    actor text not null,
    correlation_id text not null,
    cancel_reason text,
    cause jsonb, -- why it did not come to its end
    started_at timestamptz not null,
    finished_at timestamptz,
    nth bigint not null default 0, -- of its events
    look_at timestamptz not null, -- not before
    check ((finished_at is not null) = (state in ('done', 'failed', 'aborted')))
);
create unique index site_run_active on site_run (site) where finished_at is null;
create index site_run_due on site_run (look_at) where finished_at is null;

create table site_run_item (
    run_id text not null references site_run (id) on delete cascade,
    position integer not null,
    app text not null,
    kind text not null,
    state text not null check (state in ('waiting', 'running', 'updated', 'failed', 'left')),
    from_version text,
    to_version text,
    operation_id text, -- once it has begun; of one that somebody asked for from the first
    request jsonb, -- of one that somebody asked for
    cause jsonb,
    primary key (run_id, position)
);
create unique index site_run_item_of_operation on site_run_item (operation_id) where operation_id is not null;

alter table operation add column run_id text; -- of the run that it is part of
