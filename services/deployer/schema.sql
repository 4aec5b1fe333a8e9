-- What the deployer owns: what runs where, and the operations that change it.

create table site (
    -- Projection of strategy.events.
    name text primary key,
    connections jsonb not null, -- by driver, what it must know to reach the site
    simplex boolean not null,
    site_group text, -- whose overrides are its own, too
    secrets text[] not null default '{}', -- that its connections name
    managed boolean not null default true,
    maintenance boolean not null default false,
    alarms text[] not null default '{}', -- active ones that affect management
    facts jsonb not null default '{}', -- of its platform, as people told them: over what drivers found
    labels jsonb not null default '{}',
    gone boolean not null default false -- forgotten sites stay while operations on them come to their end
);

create index site_by_secret on site using gin (secrets) where secrets <> '{}';

create table availability (
    -- Whether a site answers, as its drivers found. Written when that changes, not whenever a site is asked.
    site text primary key,
    availability text not null default 'unknown' check (availability in ('online', 'offline', 'unknown')),
    since timestamptz not null,
    seen_at timestamptz, -- of one that is online and did not fail, its bucket may have been checked since
    failed smallint not null default 0 check (failed between 0 and 2), -- checks in a row, as far as they count
    cause jsonb, -- why the last check failed: code and message
    free_bytes bigint check (free_bytes >= 0),
    facts jsonb not null default '{}',
    nth bigint not null default 0, -- so many changes were told; who changes it has seen the one before
    bucket smallint not null, -- by its name
    ask_at timestamptz, -- out of turn, since it is new, was changed, or somebody wants to know; null = with its bucket
    wanted boolean not null default false, -- somebody wants to know: told even if nothing has changed
    constraint what_failed_has_a_cause check ((failed > 0) = (cause is not null)),
    constraint offline_after_two check (availability <> 'offline' or failed = 2),
    constraint what_answers_was_seen check (availability <> 'online' or seen_at is not null)
) with (fillfactor = 80);
create index availability_soon on availability (ask_at) where ask_at is not null;
create index availability_by_bucket on availability (bucket, (availability = 'offline'), site);

create table check_bucket (
    -- Sites are asked by buckets of their names. Those that are offline are asked apart: they hold up nobody else.
    offline boolean not null,
    bucket smallint not null,
    due_at timestamptz not null,
    owner text, -- the replica that asks them now
    owned_until timestamptz, -- then others may
    checked_at timestamptz, -- none of them was asked before, the last time
    retold_at timestamptz not null default now(), -- all of them were told, be it news or not
    primary key (offline, bucket),
    check ((owner is null) = (owned_until is null))
);
insert into check_bucket (offline, bucket, due_at, retold_at)
select offline, bucket, now() + bucket * interval '3.75 seconds', now() - bucket * interval '10 hours' from unnest('{false,true}'::boolean[]) as offline, generate_series(0, 15) as bucket;

create table secret (
    -- What connections name. Only sealed values: who reads this table, or a copy of it, reads no secret.
    name text primary key,
    sealed text check (sealed ~ '^[A-Za-z0-9+/]{64,}={0,2}$'), -- a sealed box in base64; null = it was removed
    version bigint not null check (version >= 1), -- so many values were set
    sequence bigint not null check (sequence >= version), -- of its events
    changed_at timestamptz not null,
    changed_by text not null
);

create table hold (
    -- Projection of strategy.events: the strategy that a site takes part in.
    site text primary key,
    strategy_id text not null,
    strategy text not null
);
create index hold_by_strategy on hold (strategy_id);

create table strategy_target (
    -- Projection of strategy.events: the releases that strategies lead sites to.
    strategy_id text not null,
    strategy text not null,
    app text not null,
    version text not null, -- '*' = any: there are more than the plan names
    needed_until timestamptz not null,
    primary key (strategy_id, version)
);
create index strategy_target_by_app on strategy_target (app);

create table feed (
    -- The last event taken of each aggregate that is projected: a repeated one must not undo a later one.
    aggregate text primary key,
    sequence bigint not null
);

create table release (
    -- Projection of catalog.events. Withdrawn ones stay: sites that run them may have to return to them.
    app text not null,
    version text not null,
    scheme text not null,
    upgrades_from text[], -- null = from any
    bundle_sha256 text not null,
    components jsonb not null, -- driver, name, after, spec of each
    max_parallel_components integer, -- of one site; null = all that their order allows
    drivers text[] not null,
    rules jsonb not null default '{}', -- what differs from shared.messages.rules.Rules()
    withdrawn boolean not null default false,
    withdrawn_at timestamptz,
    unneeded boolean not null default false, -- withdrawn, and told that no site could go back to it
    deletion text, -- the command by which it is to be deleted: nothing goes there any more
    deletion_at timestamptz,
    primary key (app, version),
    check (withdrawn or not unneeded),
    constraint release_deletion check ((deletion is null) = (deletion_at is null))
);

create table override_app (
    -- Apps for which anything was ever set: all others pay nothing. Its row is locked by whoever changes something there.
    app text primary key,
    changes bigint not null check (changes >= 1)
);

create table override (
    -- What people set for a component of an app, over the values of its releases, at one level. A row stays when nothing is
    -- set any more: its changes go on being counted.
    app text not null,
    level text not null check (level in ('fleet', 'group', 'site')),
    target text not null, -- the group or site; empty = the fleet
    component text not null,
    given jsonb not null default '{}', -- values; a secret stands in them by its name
    enabled boolean, -- whether it is deployed; null = as below
    namespace text, -- null = as below
    secrets text[] not null default '{}', -- that its values name
    nth bigint not null check (nth >= 1), -- so many changes were made here
    primary key (app, level, target, component),
    check ((level = 'fleet') = (target = ''))
);
create index override_by_secret on override using gin (secrets) where secrets <> '{}';
create index override_by_target on override (level, target) where level <> 'fleet';

create table override_change (
    -- What was set after each change: a history to go back in, and what deployments name that were made with it.
    app text not null,
    level text not null,
    target text not null,
    component text not null,
    nth bigint not null check (nth >= 1),
    given jsonb not null,
    enabled boolean,
    namespace text,
    secrets text[] not null default '{}',
    at timestamptz not null,
    changed_by text not null,
    reason text not null,
    primary key (app, level, target, component, nth)
);

create table preparation (
    -- Projection of catalog.events: what releases bring to sites, as it lies in the blob store. Its row is locked by who
    -- asks for a preparation and by who learns of its end, so that no operation waits for an end that is over.
    app text not null,
    version text not null,
    state text not null check (state in
        ('asked',
         'prepared', -- asked, failed ->
         'failed')), -- asked ->; asked for once more by somebody new, it is `asked` again
    bundle_sha256 text,
    content jsonb, -- component, kind, name, sha256, bytes, platform, index of each item
    bytes bigint,
    notes text[] not null default '{}', -- what components do not bring by themselves, and why
    cause jsonb, -- of the failure told last
    failed_for text[] not null default '{}', -- on whose behalf; for these it is not tried again
    at timestamptz, -- of its end
    primary key (app, version),
    check ((state = 'prepared') = (content is not null)),
    check (state <> 'prepared' or (bundle_sha256 is not null and bytes is not null and at is not null)),
    check (state <> 'failed' or cause is not null)
);

create table publication (
    -- Projection of catalog.events: how publications ended that operations may wait for. Forgotten after a while.
    id text primary key, -- of the command that published
    state text not null, -- as the catalog says: available; anything else ended without a release
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null,
    check (state <> 'available' or (app is not null and version is not null))
);

create table deployment (
    -- An app on a site, as its last operation left it.
    site text not null,
    app text not null,
    version text, -- the release that runs; null = none
    leftovers text[] not null default '{}', -- releases left half-done: their components may still lie there
    status text not null check (status in
        ('new', 'operational', 'apply_error', 'update_error', 'rollback_error', 'remove_error', 'removed')),
    history text[] not null default '{}', -- the releases before the current one, latest last
    overrides jsonb, -- by release that lies there, what was set when it came: level, component and number of a change; null =
    -- nothing; by release and a number (`1.0 1`), what it was tried with else, and left half-done
    prestaged jsonb, -- what lies there before it is needed: version, bundle_sha256, bytes, items, complete, at, platform
    operation_id text not null,
    nth bigint not null default 1, -- so many operations have ended here; each event of an end says it
    primary key (site, app),
    check (status <> 'operational' or (version is not null and leftovers = '{}')),
    check (status not in ('new', 'removed') or (version is null and leftovers = '{}' and history = '{}'))
) with (fillfactor = 80);

create table component_revision (
    -- What the driver recorded for a component when a release became operational; a rollback returns to it.
    site text not null,
    app text not null,
    component text not null,
    version text not null,
    revision text not null,
    driver text not null,
    digest text not null,
    secrets jsonb, -- by name, with which versions of secrets it was deployed; null = with none, or nobody knows
    primary key (site, app, component, version)
);

create table runner (
    -- Who works on operations. One lease a replica, kept alive by its heartbeat.
    id text primary key,
    instance text not null unique, -- the replica; when it starts anew, its former runner has ended
    lease_until timestamptz not null
);

create table operation (
    id text primary key, -- that of the command
    site text not null,
    app text not null,
    kind text not null check (kind in ('apply', 'update', 'rollback', 'recover', 'remove', 'prestage')),
    from_version text,
    to_version text,
    strategy_id text,
    timeout_seconds integer not null,
    correlation_id text not null,
    actor text not null,
    requested_at timestamptz not null,
    force boolean not null default false,
    terms jsonb, -- what is set for it, what of that is dropped afterwards, whether only changes are made; null = nothing
    cancel_reason text, -- somebody wants it stopped
    recover text check (recover in ('always', 'never')), -- asked for; null = as the release says
    publication text, -- the command that publishes the release to reach
    on_behalf text, -- who asked for the preparation that it waits for
    awaits text, -- the command whose end it waits for; nobody takes it up before that
    refused jsonb, -- the cause for which it ends as soon as it is taken up
    run_id text, -- of the run that it is part of
    runner text, -- who works on it; null = waits. Its result counts only from this one
    claims integer not null default 0, -- how often it was taken up
    sequence bigint not null default 0, -- of its events
    state text not null default 'queued' check (state in
        ('queued', -- accepted
         'running', -- queued ->; only operations that last are ever seen in it
         'recovering', -- queued, running ->
         'succeeded', -- queued, running ->
         'failed')), -- any but succeeded ->
    course jsonb, -- how far it has come; written before anything that a restart could not find out again
    plan jsonb,
    finished_at timestamptz,
    check ((finished_at is not null) = (state in ('succeeded', 'failed'))),
    constraint what_waits_has_not_begun check (
        awaits is null or (runner is null and finished_at is null and coalesce(on_behalf, publication) is not null)
    )
) with (fillfactor = 70);

-- One operation at a time on a site: whoever comes second is rejected with site_busy.
create unique index operation_active on operation (site) where finished_at is null;
create index operation_waiting on operation (requested_at)
    where finished_at is null and runner is null and awaits is null;
create index operation_awaiting on operation (app, to_version) where awaits is not null;

create table driver_order (
    -- An order of a driver whose tool keeps no account of orders itself (drivers/durable).
    key text primary key,
    driver text not null,
    site text not null,
    app text not null,
    component text not null, -- the place: one order at a time works there, whose session holds its lock
    nth bigint not null generated always as identity, -- the older order of a place goes first
    cancelled boolean not null default false,
    taken boolean not null default false, -- some tool has had it in its hands
    note jsonb not null default '{}', -- what the tool wrote down: how it finds again what it has made
    result jsonb, -- null = it has not ended
    ended_at timestamptz,
    check ((result is null) = (ended_at is null))
);
create index driver_order_by_place on driver_order (site, app, component, nth);

create table app_behaviour (
    -- What people said of what is done by itself with an app: over what its releases say.
    app text primary key,
    switches jsonb not null, -- those that somebody set
    nth bigint not null check (nth >= 1) -- so many changes, and so many events
);

create table failed_release (
    -- A release that failed in an apply or update, whoever asked for it. It stays when it is cleared: its events are counted here.
    app text not null,
    version text not null,
    nth bigint not null check (nth >= 1), -- so many events
    primary key (app, version)
);

create table release_failure (
    -- Where a release failed. Enough of them, and nothing that goes by itself chooses it until they are cleared.
    app text not null,
    version text not null,
    site text not null,
    operation_id text not null,
    cause jsonb not null,
    failed_at timestamptz not null,
    primary key (app, version, site)
);

create table relied_app (
    -- Apps that some release needs or excludes: whoever changes them is asked what others need of them.
    app text primary key
);

create table site_run (
    -- Several operations on one site, one after the other: they go on whoever is killed.
    id text primary key, -- that of the command
    site text not null,
    kind text not null check (kind in ('update', 'rollback', 'apply', 'remove')),
    state text not null check (state in ('running', 'stopping', 'done', 'failed', 'aborted')),
    go_on boolean not null, -- after a failure, too
    prereleases boolean not null,
    timeout_seconds integer not null default 3600, -- as the version before asked_seconds reads it
    strategy_id text,
    actor text not null,
    correlation_id text not null,
    cancel_reason text,
    cause jsonb, -- why it did not come to its end
    started_at timestamptz not null,
    finished_at timestamptz,
    nth bigint not null default 0, -- of its events
    look_at timestamptz not null, -- not before
    asked_seconds integer, -- for each of its operations; null = as its release says
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
    ended bigint not null default 0, -- operations that had ended there: after another it is old news
    primary key (site, app)
);

-- Found and over are told with it, as no clocks of two deployers agree; what was told without one counts as the first.
create sequence drift_number start 2;

create table automatic_wish (
    -- What somebody of ours means to do by itself. It is judged by what is so when its turn comes, and goes with it.
    site text not null,
    app text not null,
    cause jsonb not null, -- code and message
    events jsonb not null default '[]', -- what happened to the site: code, message, and what each carries
    later jsonb not null default '[]', -- the same, since its operation began
    noted_at timestamptz not null,
    due_at timestamptz not null,
    tries integer not null default 0 check (tries >= 0),
    given_up boolean not null default false, -- tried often enough; until something is cleared or switched
    operation_id text, -- under way
    primary key (site, app),
    constraint what_happens_meanwhile_is_kept check (later = '[]' or operation_id is not null)
);
create index automatic_wish_due on automatic_wish (due_at) where operation_id is null and not given_up;
create index automatic_wish_by_operation on automatic_wish (operation_id) where operation_id is not null;

create table automatic_pause (
    -- After a failure nothing more is begun for a while. One row.
    one boolean primary key default true check (one),
    until timestamptz not null default '-infinity'
);
insert into automatic_pause default values;
