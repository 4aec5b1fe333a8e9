alter table outbox add column written_at timestamptz not null default now();

create table process_run (
    -- Each start of a replica, and what it ended of: the next one tells a loop by it. Seen again and again while it
    -- lives, with its member id in the consumer group: a member that no run has is a stranger.
    id bigint generated always as identity primary key,
    instance text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    member text not null default '',
    ended_at timestamptz,
    cause text, -- '' = in order
    check ((ended_at is null) = (cause is null))
);
create index process_run_by_instance on process_run (instance, id);

create table suspect (
    -- Records that were in work when a process ended, and how often nothing else was. Put aside at the second time.
    topic text not null,
    part integer not null,
    first_offset bigint not null,
    next_offset bigint not null,
    alone integer not null,
    put_aside_at timestamptz,
    primary key (topic, part, first_offset, next_offset),
    check (next_offset > first_offset)
);
