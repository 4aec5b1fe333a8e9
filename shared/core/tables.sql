-- The exactly-once core of one service. Every service has these tables in its own schema.

create table consumed (
    -- How far this service has read each partition. Advanced by compare-and-set as the first statement of the
    -- transaction that holds the effects, so that both happen or neither.
    topic text not null,
    part integer not null,
    next_offset bigint not null,
    epoch bigint not null default 1, -- rises with each assignment: an earlier owner is fenced
    topic_id uuid, -- Kafka's id of the topic: one that was deleted and made again has another; null = not known
    lost_at timestamptz, -- when the log was last found not to be the one that was read up to here
    lost_from bigint, -- and how far it had been read
    primary key (topic, part)
) with (fillfactor = 50);

create table inbox (
    -- Every command ever answered (until pruned): the same id gets the same answer and has no second effect.
    command_id text primary key,
    fingerprint bytea not null, -- of type and content: the same id with other content is refused
    answer_type text not null,
    answer text not null, -- JSON of the answer
    answered_at timestamptz not null
);
create index inbox_by_age on inbox (answered_at);

create table outbox (
    -- What is to be sent, in the order of the ids for each shard. Deleted once Kafka has it.
    id bigint generated always as identity primary key,
    shard smallint not null, -- by hash of the key: one relay owns a shard, so records of one key keep their order
    records integer not null check (records > 0),
    batch bytea not null, -- the records, packed (shared/core/outbox.py)
    written_at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, toast_tuple_target = 8160);
alter table outbox alter column batch set storage external; -- compressed already
create index outbox_by_shard on outbox (shard, id);

create table refused_record (
    -- What Kafka refused for good, kept whole. It holds nobody up; a person sends it again or drops it.
    id bigint generated always as identity primary key,
    topic text not null,
    type text not null, -- of the message, '' when it has none
    subject text not null,
    bytes integer not null, -- of key, headers and body
    reason text not null,
    refused_at timestamptz not null,
    batch bytea not null -- the record, packed (shared/core/outbox.py)
);
alter table refused_record alter column batch set storage external; -- compressed already

create table timer (
    -- Something to do at a time: a restart loses none.
    kind text not null,
    key text not null,
    due_at timestamptz not null,
    payload jsonb not null default '{}',
    primary key (kind, key)
);
create index timer_by_due on timer (due_at);

create table job (
    -- Long work that waits for a worker or is claimed by one. Deleted when its result is written.
    queue text not null,
    id text not null,
    due_at timestamptz not null,
    payload jsonb not null default '{}',
    attempt integer not null default 0, -- how often it was claimed
    token bigint not null default 0, -- fencing token: rises with each claim, a result needs the current one
    owner text, -- null = waits
    lease_until timestamptz,
    primary key (queue, id),
    check ((owner is null) = (lease_until is null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index job_waiting on job (queue, due_at) where owner is null;
create index job_claimed on job (queue, lease_until) where lease_until is not null;

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

create table gone (
    -- Aggregates that ended for good. What was said of one before, and is told again, is of nobody: the same name may
    -- belong to another by then.
    subject text primary key,
    gone_at timestamptz not null default now()
);
create index gone_by_age on gone (gone_at);
