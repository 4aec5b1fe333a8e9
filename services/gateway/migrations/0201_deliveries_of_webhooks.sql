alter table notification add column failed jsonb not null default '[]';

alter table subscription
    add column format text not null default 'standard',
    add column template jsonb;

create table delivery (
    position bigint generated always as identity primary key,
    delivery_id text not null unique,
    subscription text not null,
    notification_id bigint,
    topic text not null,
    message text not null,
    state text not null,
    tries integer not null,
    status integer,
    milliseconds integer,
    reason text not null,
    next_try_at timestamptz,
    nth bigint not null,
    at timestamptz not null
);
create index delivery_by_subscription on delivery (subscription, position);
create index delivery_by_age on delivery (at);
