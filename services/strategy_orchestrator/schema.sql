-- Sites, groups and strategies. The constraints below are the rules that no code path can break.

create table fleet (
    -- One row: the sequence of all messages about sites and groups. Locked by whoever changes them.
    one boolean primary key default true check (one),
    sequence bigint not null default 0
);
insert into fleet default values;

create table site_group (
    name text primary key,
    description text not null default '',
    apply_type text not null check (apply_type in ('parallel', 'serial')),
    max_parallel text not null, -- a number or a per cent
    sites integer not null default 0 check (sites >= 0), -- what a per cent is of
    running integer not null default 0 check (running >= 0) -- steps of its sites, in all strategies
);

create table strategy (
    id text primary key, -- the id of the command that created it
    name text not null,
    type text not null check (type in ('prestage', 'apply', 'update', 'rollback', 'remove')),
    app text not null,
    version text,
    spec jsonb not null,
    operation text, -- what the deployer is asked for on each site; null = that of the type
    left_out integer not null default 0, -- selected sites that the plan left out
    skipped integer not null default 0, -- aborted steps of sites that were removed: they do not make it fail
    state text not null check (state in (
        'waiting',  -- for its release to be published: not planned yet
        'ready',    -- planned, not started; waiting -> ready
        'applying', -- ready -> applying; paused -> applying; failed, aborted -> applying (retry)
        'paused',   -- applying -> paused
        'aborting', -- applying, paused -> aborting: running sites finish
        'needs_inspection', -- applying, paused, aborting -> needs_inspection: its counts do not fit its steps
        'complete', -- applying -> complete
        'failed',   -- applying -> failed; aborting -> failed; waiting, ready -> failed (it could not begin)
        'aborted'   -- aborting -> aborted; waiting, ready -> aborted
    )),
    ends_as text check (ends_as in ('failed', 'aborted')), -- what `aborting` leads to, be it after an inspection
    why_code text not null,
    why_message text not null,
    sequence bigint not null default 0, -- of its events
    created_by text not null default '',
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    deleted_at timestamptz,
    groups text[] not null default '{}', -- of the sites it holds: its transactions lock their places
    round integer not null default 1, -- how often its sites were tried: one more with each retry
    catch_up_until timestamptz, -- ended: sites that were offline are tried again until then
    catch_up_sites integer not null default 0, -- so many
    publication text, -- the command that publishes the release to reach
    begins text not null default '', -- it waits, and was applied: by whose word it begins once planned
    constraint what_waits_has_a_publication check (state <> 'waiting' or publication is not null),
    constraint what_begins_waits check (begins = '' or state = 'waiting'),
    constraint only_what_aborts_ends_so check (
        state = 'needs_inspection' or (state = 'aborting') = (ends_as is not null)),
    constraint what_lives_is_not_deleted check (
        deleted_at is null or state not in ('applying', 'paused', 'aborting', 'needs_inspection'))
) with (fillfactor = 50);
create unique index strategy_name on strategy (name) where deleted_at is null;
create index strategy_waiting on strategy (publication) where state = 'waiting';

create table publication (
    -- How publications ended, as the catalog told it; or, without a state, that a strategy waits for one.
    id text primary key,
    state text,
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null,
    check (state is distinct from 'available' or (app is not null and version is not null))
);

create table stage (
    strategy_id text not null references strategy (id),
    position integer not null,
    name text not null,
    state text not null check (state in (
        'waiting', 'running', 'soaking', 'complete', 'failed', 'aborted'
    )),
    total integer not null check (total > 0),
    waiting integer not null check (waiting >= 0),
    running integer not null check (running >= 0),
    complete integer not null check (complete >= 0),
    failed integer not null check (failed >= 0),
    aborted integer not null check (aborted >= 0),
    blocked integer not null default 0, -- waiting ones whose site is busy
    why_code text, -- why it is not further; null = it has ended
    why_message text,
    moved_at timestamptz, -- when its counts changed last
    oldest text not null default '', -- once it stands still: the sites that run longest, in words
    warning jsonb, -- the monitor's, while it holds: code and message
    accepted_failures integer not null default 0, -- failures a person accepted by resuming
    max_parallel integer not null check (max_parallel between 1 and 5000),
    soak_seconds integer not null default 0,
    soak_until timestamptz,
    cursor integer not null, -- no step that may start stands before this position
    primary key (strategy_id, position),
    constraint counts_are_exact check (waiting + running + complete + failed + aborted = total),
    constraint blocked_ones_wait check (blocked between 0 and waiting),
    constraint max_parallel_holds check (running <= max_parallel)
) with (fillfactor = 50);

create table step (
    strategy_id text not null references strategy (id),
    position integer not null, -- over all stages, in the order in which sites start
    stage integer not null,
    site text not null,
    state text not null check (state in (
        'waiting',  -- running -> waiting (the site was busy); failed, aborted -> waiting (retry)
        'running',  -- waiting -> running
        'complete', -- running -> complete
        'failed',   -- running -> failed
        'aborted'   -- waiting -> aborted; running -> aborted (found in no state to be prestaged)
    )),
    attempt integer not null default 1,
    blocked boolean not null default false, -- waits for its site to become free, not for a slot
    group_name text, -- of its site; empty = has none, null = nobody's group counts in this strategy
    started_at timestamptz, -- when it got its slot last
    batch text, -- its operation was asked for in the command of this name
    target text, -- the release to reach; null = the strategy's
    before text, -- the release that the last operation found; null = none
    changed boolean not null default false, -- that operation left the site other than it found it
    why_code text,
    why_message text,
    primary key (strategy_id, position)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create index step_blocked on step (strategy_id) where blocked;
create index step_of_group on step (strategy_id, stage, group_name, position) where group_name is not null;

create table group_queue (
    -- The sites of one group in one stage of a strategy that holds grouped sites.
    strategy_id text not null references strategy (id),
    stage integer not null,
    group_name text not null, -- empty = those without a group
    waiting integer not null check (waiting >= 0), -- that may start; busy ones are not among them
    cursor integer not null, -- none of them stands before this position
    waits_for_group boolean not null default false, -- some wait for a slot of the group alone
    primary key (strategy_id, stage, group_name)
) with (fillfactor = 50);
create index group_queue_waiting on group_queue (group_name) where waits_for_group;

create table site (
    name text primary key,
    group_name text references site_group (name),
    labels jsonb not null default '{}',
    connections jsonb not null, -- by driver, what it must know to reach the site
    managed boolean not null default true,
    simplex boolean not null default false,
    maintenance boolean not null default false, -- somebody works on it
    facts jsonb not null default '{}', -- of its platform, as people told them
    found jsonb not null default '{}', -- facts of its platform, as its drivers found them
    operation_id text, -- a single operation that runs there
    told_at timestamptz, -- no longer read: replicas of the version before do
    alarms integer not null default 0 check (alarms >= 0), -- that affect its management
    -- What the deployer last said of whether it answers:
    availability text not null default 'unknown' check (availability in ('online', 'offline', 'unknown')),
    since timestamptz, -- so long it has been what it is; null = nobody has said
    seen_at timestamptz, -- a sign of life; of one that is online there may be later ones
    cause text, -- why it is offline, in words
    nth bigint not null default 0, -- by the deployer's count of its changes: what is lower is older
    constraint what_is_offline_has_a_cause check (availability <> 'offline' or cause is not null)
) with (fillfactor = 70);
create unique index site_apart_by_case on site (lower(name)); -- two that differ only in case would be taken for each other
create index site_by_group on site (group_name);
create index site_by_label on site using gin (labels jsonb_path_ops);

create table ended_operation (
    -- Single operations that were told to have ended: who hears of their beginning once more takes none of them for news.
    id text primary key,
    at timestamptz not null
);
create index ended_operation_by_age on ended_operation (at);

create table alarm (
    -- What is wrong with a site, as people and programs said; an alarm that was cleared is gone.
    site text not null references site (name) on delete cascade,
    alarm text not null,
    severity text not null check (severity in ('critical', 'major', 'minor', 'warning')),
    management_affecting boolean not null,
    text text not null,
    raised_at timestamptz not null,
    raised_by text not null,
    primary key (site, alarm)
);

create table hold (
    -- A site takes part in one strategy at a time. A table of its own: an index on labels makes a site dear to change.
    site text primary key,
    strategy_id text not null,
    position integer not null -- its step there
);

create table catch_up (
    -- Steps of ended strategies whose site was offline: they are tried again once it is back.
    strategy_id text not null references strategy (id),
    position integer not null,
    site text not null,
    tries integer not null default 0,
    due_at timestamptz not null, -- not before
    primary key (strategy_id, position)
);
create index catch_up_of_site on catch_up (site);

create table secret (
    -- That there is one of this name; its value nobody but the deployer knows.
    name text primary key
);

create table deployer_host (
    -- What the host of a deployer last said: which drivers it has.
    host text primary key,
    drivers text[] not null, -- none = it does not say
    at timestamptz not null
);

create table deployment (
    -- What the deployer last said of an app on a site.
    site text not null,
    app text not null,
    version text,
    history text[] not null default '{}', -- what the site can return to, last where a rollback without version leads
    status text not null,
    operation_id text not null,
    sequence bigint not null default 1, -- of its site.state events
    nth bigint not null default 0, -- so many operations had ended there, by the deployer's count
    primary key (site, app)
) with (fillfactor = 70);

create table release (
    -- What the catalog last said of a release.
    app text not null,
    version text not null,
    scheme text not null,
    upgrades_from text[], -- null = from any
    drivers text[], -- of its components; null = nobody has said
    needs jsonb not null default '{}', -- of a site, where it says any: facts, patches, releases
    withdrawn boolean not null default false,
    primary key (app, version)
);
