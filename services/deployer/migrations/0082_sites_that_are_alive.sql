create table availability (
    site text primary key,
    availability text not null default 'unknown' check (availability in ('online', 'offline', 'unknown')),
    since timestamptz not null,
    seen_at timestamptz,
    failed smallint not null default 0 check (failed between 0 and 2),
    cause jsonb,
    free_bytes bigint check (free_bytes >= 0),
    facts jsonb not null default '{}',
    nth bigint not null default 0,
    bucket smallint not null,
    ask_at timestamptz,
    wanted boolean not null default false,
    constraint what_failed_has_a_cause check ((failed > 0) = (cause is not null)),
    constraint offline_after_two check (availability <> 'offline' or failed = 2),
    constraint what_answers_was_seen check (availability <> 'online' or seen_at is not null)
) with (fillfactor = 80);
create index availability_soon on availability (ask_at) where ask_at is not null;
create index availability_by_bucket on availability (bucket, (availability = 'offline'), site);
create table check_bucket (
    offline boolean not null,
    bucket smallint not null,
    due_at timestamptz not null,
    owner text,
    owned_until timestamptz,
    checked_at timestamptz,
    primary key (offline, bucket),
    check ((owner is null) = (owned_until is null))
);
insert into check_bucket (offline, bucket, due_at)
select offline, bucket, now() + bucket * interval '3.75 seconds' from unnest('{false,true}'::boolean[]) as offline, generate_series(0, 15) as bucket;
insert into availability (site, since, bucket) select name, now(), hashtext(name) & 15 from site where not gone;
