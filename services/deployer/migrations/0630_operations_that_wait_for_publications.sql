-- Operations that wait for a publication, and those that are not turned back when they fail.
create table publication (
    id text primary key, -- of the command that published
    state text not null check (state in ('available', 'rejected', 'failed')),
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null,
    check (state <> 'available' or (app is not null and version is not null))
);
alter table operation add column recover text check (recover in ('always', 'never'));
alter table operation add column publication text;
alter table operation drop constraint operation_check1;
alter table operation add constraint what_waits_has_not_begun check (
    awaits is null or (runner is null and finished_at is null and coalesce(on_behalf, publication) is not null)
);
