create table audit_bucket (
    -- What is deployed is looked at by buckets of sites, each by one replica.
    bucket smallint primary key,
    due_at timestamptz not null,
    owner text, -- the replica that looks at it now
    owned_until timestamptz, -- then others may
    check ((owner is null) = (owned_until is null))
);
insert into audit_bucket (bucket, due_at)
select bucket, now() + bucket * interval '10 seconds' from generate_series(0, 15) as bucket;

create table drift (
    -- An app on a site that is not as it was left; its row goes when that is over.
    site text not null,
    app text not null,
    version text,
    components jsonb not null, -- component, code and message of each
    what_follows text not null check (what_follows in ('told', 'put_right', 'given_up')),
    found_at timestamptz not null,
    primary key (site, app)
);

create table automatic_wish (
    -- What somebody of ours means to do by itself. It is judged by what is so when its turn comes, and goes with it.
    site text not null,
    app text not null,
    cause jsonb not null, -- code and message
    noted_at timestamptz not null,
    due_at timestamptz not null,
    tries integer not null default 0 check (tries >= 0),
    given_up boolean not null default false, -- tried often enough; until something is cleared or switched
    operation_id text, -- under way
    primary key (site, app)
);
create index automatic_wish_due on automatic_wish (due_at) where operation_id is null and not given_up;
create index automatic_wish_by_operation on automatic_wish (operation_id) where operation_id is not null;

create table automatic_pause (
    -- After a failure nothing more is begun for a while. One row.
    one boolean primary key default true check (one),
    until timestamptz not null default '-infinity'
);
insert into automatic_pause default values;
