alter table notification
    add column message_id uuid not null default gen_random_uuid(),
    add column count integer not null default 1,
    add column failures jsonb not null default '[]';

create table gathering (
    key text primary key,
    told integer not null default 0,
    since timestamptz,
    last_at timestamptz not null
);
create table gathered (
    key text not null references gathering (key) on delete cascade,
    item text not null,
    position bigint generated always as identity,
    note jsonb not null,
    primary key (key, item)
);
create table strategy_failure (
    strategy_id text not null,
    operation_id text not null,
    failure jsonb not null,
    failed_at timestamptz not null,
    primary key (strategy_id, operation_id)
);

alter table subscription
    add column format text not null default 'standard'
        check (format in ('standard', 'slack', 'teams', 'mattermost', 'custom')),
    add column template jsonb,
    add column quiet_until timestamptz,
    add check ((format = 'custom') = (template is not null));

alter table delivery
    alter column notification_id drop not null,
    add column due_at timestamptz,
    add column created_at timestamptz not null default now(),
    add column nth bigint not null default 0,
    add column status integer,
    add column milliseconds integer;
create index delivery_missed on delivery (subscription, created_at) where state in ('dead', 'dropped');
