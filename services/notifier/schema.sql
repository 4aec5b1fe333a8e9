-- Notifications, who subscribed to them, and their deliveries.

create table notification (
    -- Something people should know. Kept within bounds of number and age (settings.py).
    id bigint generated always as identity primary key,
    topic text not null check (topic in ('discover', 'done', 'error', 'warning', 'release')),
    message text not null,
    about text not null,
    link text not null,
    raised_at timestamptz not null,
    read_at timestamptz, -- null = unread
    message_id uuid not null default gen_random_uuid(), -- the `webhook-id`: no other installation has it too
    count integer not null default 1, -- of how many things of a kind it tells
    failures jsonb not null default '[]' -- the first of what failed, with their evidence
);
create index notification_unread on notification (id) where read_at is null;
create index notification_by_age on notification (raised_at);

create table reading (
    -- One row an inbox: the sequence of its `notifications_read` events. Locked by whoever marks.
    inbox text primary key,
    sequence bigint not null default 0
);
insert into reading values ('everyone');

create table heard (
    -- Events that were told of already, coalesced ones included: a repeated record raises nothing.
    event_id text primary key,
    heard_at timestamptz not null
);
create index heard_by_age on heard (heard_at);

create table quiet (
    -- Warnings that are not raised again before their time.
    key text primary key,
    until timestamptz not null
);

create table note_batch (
    -- Notes of one family (rules.FAMILIES) and actor that become one when they are many.
    key text primary key,
    told integer not null default 0, -- so many were told one by one since it was last at rest
    since timestamptz, -- when the first came that waits to be told; null = none waits
    last_at timestamptz not null
);

create table batched_note (
    -- What waits to be told together.
    key text not null references note_batch (key) on delete cascade,
    item text not null, -- what it is about: told of twice it counts once
    position bigint generated always as identity,
    note jsonb not null,
    primary key (key, item)
);

create table strategy_failure (
    -- The first failures of a strategy since it was last set going: told when it comes to a stop.
    strategy_id text not null,
    operation_id text not null,
    failure jsonb not null,
    failed_at timestamptz not null,
    primary key (strategy_id, operation_id)
);

create table strategy_name (
    -- What people call a strategy; the monitor's events carry only its id.
    strategy_id text primary key,
    name text not null,
    heard_at timestamptz not null
);

create table subscription (
    -- A removed one keeps its row, so that the sequence goes on when the name is used again.
    name text primary key,
    channel text not null check (channel in ('webhook', 'log')),
    url text not null,
    topics text[] not null check (cardinality(topics) > 0),
    sealed_secret text, -- opened in memory only, at a delivery
    state text not null check (state in (
        'active',  -- removed -> active: the name is used again
        'removed', -- active, dead -> removed
        'dead'     -- active -> dead: nothing reaches it any more
    )),
    reason text not null default '',
    last_success_at timestamptz,
    sequence bigint not null default 1,
    format text not null default 'standard' check (format in ('standard', 'slack', 'teams', 'mattermost', 'custom')),
    template jsonb,
    quiet_until timestamptz, -- the target asked to be left alone until then (Retry-After)
    check ((format = 'custom') = (template is not null))
);

create table delivery (
    id text primary key, -- <notification>:<subscription>, or test:<uuid>; also the id of its job
    notification_id bigint references notification (id) on delete cascade, -- null = a test call
    subscription text not null references subscription (name),
    state text not null check (state in (
        'waiting',   -- behind others of its subscription; queued -> waiting: tried again later; delivered, dead,
                     -- dropped -> waiting: somebody asked for it again
        'queued',    -- waiting -> queued: a job of the queue `delivery` exists
        'delivered', -- queued -> delivered
        'dead',      -- queued -> dead: the limit of tries is reached
        'dropped'    -- waiting, queued -> dropped: the subscription was removed or found dead
    )),
    tries integer not null default 0 check (tries >= 0),
    first_tried_at timestamptz,
    ended_at timestamptz,
    reason text not null default '', -- why the last try failed
    due_at timestamptz, -- not before; null = at once
    created_at timestamptz not null default now(),
    nth bigint not null default 0, -- rises with each change that is told
    status integer, -- HTTP status that the last try got
    milliseconds integer, -- how long the last try took
    check ((state in ('delivered', 'dead', 'dropped')) = (ended_at is not null))
) with (fillfactor = 70);
create index delivery_by_notification on delivery (notification_id);
create index delivery_open on delivery (subscription, state, notification_id) where state in ('waiting', 'queued');
create index delivery_missed on delivery (subscription, created_at) where state in ('dead', 'dropped');
