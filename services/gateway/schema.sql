-- What the gateway owns (tokens, commands, audit, numbers of doors) and what it learned from events (everything below "Read models",
-- which can be rebuilt by reading the topics again).
--
-- Rows learned from events carry a stamp (seq, at): the sequence of their aggregate, then the time. A row changes
-- only for a stamp that is not older, so that repeated and reordered events change nothing.

create table token (
    id text primary key,
    name text not null unique,
    role text not null check (role in ('viewer', 'operator', 'approver', 'admin')),
    hash text not null, -- argon2; the token itself is never stored
    created_by text not null,
    created_at timestamptz not null,
    last_used_at timestamptz -- to the minute: a row is not written for each request
);

create table command (
    -- Every command sent through this gateway: the same id and content gets the same answer, other content none.
    command_id text primary key,
    type text not null,
    actor text not null,
    fingerprint bytea not null,
    body jsonb not null,
    state text not null default 'sent' check (state in (
        'sent',     -- in the outbox or under way
        'accepted', -- sent -> accepted
        'rejected'  -- sent -> rejected
    )),
    result jsonb not null default '{}',
    faults jsonb not null default '[]',
    sent_at timestamptz not null,
    answered_at timestamptz,
    check ((state = 'sent') = (answered_at is null))
);
create index command_by_age on command (sent_at);

create table audit (
    -- Who did what, when, and what came of it. Kept for years.
    id bigint generated always as identity primary key,
    at timestamptz not null,
    actor text not null,
    role text not null,
    action text not null, -- type of the command, or what was done in the gateway itself
    target text not null, -- path of the request
    about text not null default '', -- names of what the command speaks of, in one line
    command_id text,
    result text not null -- sent, accepted, rejected, or done
);
create index audit_by_command on audit (command_id) where result = 'sent';
create index audit_by_actor on audit (actor, id);
create index audit_by_time on audit (at);

create table door_number (
    -- Integers that clients of a door want for ids: what each stands for. Given out once and for ever.
    door text not null,
    kind text not null,
    key text not null,
    number bigint not null check (number > 0),
    given_at timestamptz not null,
    primary key (door, kind, key),
    unique (door, kind, number)
);

-- Events for people ---------------------------------------------------------------------------------------------

create table event_counter (
    -- One row. Its lock, held until the commit, gives out positions in the order of the commits: a reader that saw
    -- position n has seen every lower one.
    one boolean primary key default true check (one),
    last bigint not null default 0
);
insert into event_counter default values;

create table event_log (
    position bigint primary key,
    type text not null, -- short: stage_progressed
    strategy_id text,
    body text not null, -- JSON as it goes to the clients
    at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Read models ---------------------------------------------------------------------------------------------------

create table upload (
    -- A file that comes in parts. How much of it has come is what lies of it in the blob store.
    id text primary key, -- also of the command that publishes it
    owner text not null, -- name of the token that began it; nobody else goes on with it
    bytes bigint not null check (bytes > 0),
    file_name text not null,
    sha256 text, -- what it must be; of a complete one what it is
    app text,
    version text,
    state text not null default 'open' check (state in ('open', 'complete')),
    writer text, -- the request that sends a part just now
    writer_until timestamptz, -- silent until then, it has lost it
    expires_at timestamptz not null,
    check ((writer is null) = (writer_until is null)),
    check (state = 'open' or (sha256 is not null and writer is null))
);
create index upload_by_expiry on upload (expires_at);

create table signing_key (
    -- Keys of which one must have signed the bundles of an app.
    app text not null,
    name text not null,
    public_key text not null,
    expires_at timestamptz,
    set_at timestamptz not null,
    set_by text not null,
    primary key (app, name)
);

create table publication (
    -- A command to publish a bundle: how far it is, or what became of it.
    id text primary key, -- of the command
    state text not null,
    phase text,
    done_bytes bigint,
    total_bytes bigint,
    bundle_sha256 text,
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null,
    step text, -- what is being looked at, and how far that is
    step_done bigint,
    step_total bigint,
    waits jsonb -- what keeps it from going on: code, message
);
create index publication_by_age on publication (at);

create table release (
    app text not null,
    version text not null,
    release_id text not null,
    scheme text not null,
    state text not null check (state in ('available', 'withdrawn')),
    description text not null,
    bundle_sha256 text not null,
    bundle_bytes bigint not null,
    upgrades_from jsonb,
    components jsonb not null, -- driver, name, after, spec of each
    max_parallel_components integer, -- of one site; null = all that their order allows
    requires jsonb not null default '{}', -- on which hosts its wheels can be installed
    rules jsonb not null default '{}', -- what it needs of a site, and what is done by itself
    images jsonb not null default '[]', -- that its containers and rendered charts name
    notices jsonb not null default '[]', -- what its bundle says that has no meaning here, each with why
    published_at timestamptz not null,
    signature jsonb, -- by which key its bundle was signed
    deletion jsonb, -- somebody wants it gone: state, cause, at
    origin jsonb, -- from where its bundle was fetched: source, resolved
    seq bigint not null,
    at timestamptz not null,
    primary key (app, version)
);

create table preparation (
    -- What became of the preparation of each release, and how much was prepared.
    app text not null,
    version text not null,
    state text not null, -- preparing, prepared or failed
    bytes bigint, -- of all that was prepared
    site_bytes bigint, -- what is sent to a site that has none of it
    content jsonb not null default '[]', -- component, kind, name, sha256 and bytes of each item
    notes jsonb not null default '[]', -- what components do not bring, and why
    cause jsonb, -- why it failed
    changed_at timestamptz not null,
    seq bigint not null,
    primary key (app, version)
);

create table bundle (
    bundle_sha256 text primary key,
    file_name text not null,
    state text not null check (state in ('validating', 'available', 'rejected')),
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null
);

create table host (
    -- What can be installed where, as deployers last said it.
    name text primary key,
    facts jsonb not null,
    at timestamptz not null
);

create table storage (
    -- How much the bundles take. One row, once the catalog has said something.
    one boolean primary key check (one),
    used_bytes bigint not null,
    bundles bigint not null,
    withdrawn_bytes bigint not null,
    reclaimable_bytes bigint not null,
    free_bytes bigint,
    prepared_bytes bigint not null default 0, -- what was prepared of releases
    measured_at timestamptz not null,
    seq bigint not null
);

create table site (
    name text primary key,
    group_name text,
    labels jsonb not null,
    connections jsonb not null, -- by driver, what it must know to reach the site
    managed boolean not null,
    maintenance boolean not null default false,
    simplex boolean not null,
    facts jsonb not null default '{}', -- of its platform, as people told them
    secrets text[] not null default '{}', -- that its connections name
    removed boolean not null default false, -- kept, so that an older event cannot bring it back
    seq bigint not null,
    at timestamptz not null
);
create index site_by_group on site (group_name);
create index site_by_label on site using gin (labels jsonb_path_ops);

create index site_by_secret on site using gin (secrets) where secrets <> '{}';

create table secret (
    -- What connections name; no value, sealed or not.
    name text primary key,
    version bigint not null,
    set_at timestamptz not null,
    set_by text not null,
    removed boolean not null default false, -- kept, so that an older event cannot bring it back
    seq bigint not null
);

create table sealing_key (
    -- What secrets for a service are sealed to, as it last said.
    owner text primary key,
    public_key text not null,
    at timestamptz not null
);

create table site_availability (
    -- Whether a site answers, as the deployer said last. It may come before the site itself.
    site text primary key,
    availability text not null,
    since timestamptz not null,
    seen_at timestamptz, -- of one that is online without a cause, its bucket may have been checked since
    checked_at timestamptz, -- when this was found
    cause jsonb,
    free_bytes bigint,
    facts jsonb not null,
    bucket integer not null,
    nth bigint not null -- rises with each change: an older one changes nothing
);
create index site_not_online on site_availability (site) where availability <> 'online';

create table check_bucket (
    -- Sites are checked by buckets: when all of one had answered that are online without a cause.
    bucket integer primary key,
    checked_at timestamptz not null
);

create table alarm (
    -- What is wrong with sites.
    site text not null,
    alarm text not null,
    severity text not null,
    management_affecting boolean not null,
    text text not null,
    raised_at timestamptz not null,
    raised_by text not null,
    cleared boolean not null default false, -- kept, so that an older event cannot bring it back
    seq bigint not null,
    primary key (site, alarm)
);
create index alarm_raised on alarm (site) where not cleared;

create table hold (
    -- The strategy that took a site last. It may come before the site itself.
    site text primary key,
    strategy_id text not null,
    strategy text not null,
    seq bigint not null
) with (fillfactor = 50);

create table hold_end (
    -- Strategies that let go of all their sites: one row, whatever the number of sites.
    strategy_id text primary key,
    seq bigint not null
);

create view holder as
    select site, strategy_id, strategy from hold h
    where not exists (select from hold_end e where e.strategy_id = h.strategy_id and e.seq >= h.seq);

create table site_group (
    name text primary key,
    description text not null,
    apply_type text not null,
    max_parallel text not null, -- a number or a per cent
    removed boolean not null default false,
    seq bigint not null,
    at timestamptz not null
);

create table deployment (
    -- As the last operation on the site left it; written with the end of that operation, which counts once.
    site text not null,
    app text not null,
    version text,
    status text not null,
    operation_id text,
    strategy_id text,
    nth bigint not null default 0, -- so many operations had ended there, by the deployer's count
    at timestamptz not null,
    overrides text[], -- what was set when the release came that runs now; null = nothing
    secrets jsonb, -- by name, with which versions of secrets it was deployed; null = with none
    primary key (site, app)
) with (fillfactor = 50);
create index deployment_with_secrets on deployment (site, app) where secrets is not null;

create table override (
    -- What is set for a component of an app at one level, by the number of its last change.
    app text not null,
    level text not null,
    target text not null, -- the group or site; empty = the fleet
    component text not null,
    nth bigint not null,
    primary key (app, level, target, component)
);

create table override_change (
    -- What was set after each change: its history, and what deployments were made with.
    app text not null,
    level text not null,
    target text not null,
    component text not null,
    nth bigint not null,
    given jsonb not null, -- values; a secret stands in them by its name
    enabled boolean,
    namespace text,
    at timestamptz not null,
    changed_by text not null,
    reason text not null,
    primary key (app, level, target, component, nth)
);

create view override_ref as
    -- What is set at each level, as shared/values/layers.py writes it.
    select app, level, target, component,
        case level when 'group' then 'group:' || target else level end || '/' || component || '/' || nth as ref
    from override;

create view deployment_now as
    -- Each with what is set for it now; nothing is looked for where nothing is.
    select d.site, d.app, d.version, d.status, d.operation_id, d.strategy_id, d.at as updated_at, d.overrides,
        case when exists (select from override where app = d.app) then (
            select array_agg(o.ref)
            from (values ('fleet', ''), ('group', (select group_name from site where name = d.site)), ('site', d.site))
                as p (level, target)
            join override_ref o on o.app = d.app and o.level = p.level and o.target = p.target
        ) end as set_now,
        d.secrets
    from deployment d
    where not exists (select from site s where s.name = d.site and s.removed);

create table prestaged (
    -- What lies on sites before it is needed there, by app, as the last end that spoke of it said.
    site text not null,
    app text not null,
    nth bigint not null, -- so many operations had ended there
    releases jsonb not null, -- version, bundle_sha256, bytes, items, complete, at, platform of each
    at timestamptz not null,
    primary key (site, app)
);

create table operation (
    position bigint generated always as identity, -- newest last, for pages
    operation_id text primary key,
    site text not null,
    app text not null,
    kind text not null,
    state text not null check (state in (
        'queued',    -- accepted by the deployer
        'running',   -- queued -> running
        'succeeded', -- queued, running -> succeeded
        'failed'     -- queued, running -> failed
    )),
    phase text,
    percent integer,
    from_version text,
    to_version text,
    version text,
    recovered boolean,
    cause jsonb,
    plan jsonb not null default '[]',
    phases jsonb not null default '[]',
    doing jsonb not null default '[]', -- what drivers do with which component, while it runs
    last_lines jsonb not null default '[]', -- what a failed one said last; stored apart, so that lists do not read it
    strategy_id text,
    requested_at timestamptz not null,
    finished_at timestamptz,
    seconds double precision,
    fetched_bytes bigint, -- sent to the site for it
    because jsonb, -- why the deployer began it by itself; null = somebody asked for it
    at timestamptz not null,
    publication text -- whose release it goes to, where that was asked for in place of a version
) with (fillfactor = 80);
create unique index operation_newest on operation (position);
create index operation_by_site on operation (site, position);
create index operation_by_strategy on operation (strategy_id, position) where strategy_id is not null;

create table strategy (
    strategy_id text primary key,
    name text not null,
    spec jsonb, -- null while only its progress is known
    state text not null,
    why jsonb,
    excluded jsonb not null default '[]',
    excluded_count integer not null default 0,
    targets jsonb not null default '[]', -- how many sites go to which release, where that is not the same for all
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    deleted boolean not null default false,
    actions jsonb not null default '[]', -- what people may do with it now, as its owner says
    seq bigint not null default 0,
    plan_seq bigint not null default 0 -- of its plan: what waited for its release is planned twice
) with (fillfactor = 70);
create index strategy_by_name on strategy (name);
create index strategy_newest on strategy (created_at, strategy_id);

create table stage (
    strategy_id text not null,
    position integer not null,
    name text not null,
    state text not null,
    waiting integer not null default 0,
    running integer not null default 0,
    complete integer not null default 0,
    failed integer not null default 0,
    aborted integer not null default 0,
    max_parallel integer not null,
    soak_seconds integer not null default 0,
    why jsonb,
    warning jsonb, -- what the monitor advises, until it no longer holds
    spread jsonb not null default '[]', -- its sites by group or label, as planned
    spread_more integer not null default 0,
    seq bigint not null default 0,
    at timestamptz not null,
    primary key (strategy_id, position)
) with (fillfactor = 50);

create table forecast (
    -- The monitor's advice on a stage.
    strategy_id text not null,
    stage integer not null,
    failure_rate double precision not null,
    eta_low timestamptz,
    eta_high timestamptz,
    overdue boolean not null default false,
    at timestamptz not null,
    primary key (strategy_id, stage)
) with (fillfactor = 50);

create table step (
    strategy_id text not null,
    site text not null,
    stage integer not null,
    state text not null,
    attempt integer not null,
    operation_id text,
    why jsonb,
    target text, -- the release to reach; null = the strategy's
    seq bigint not null,
    at timestamptz not null,
    primary key (strategy_id, stage, site) -- in the order of pages; not by state: its updates stay cheap (HOT)
    -- Half of a page is too little room: a step that begins grows by the id of its operation.
) with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05);

create table timeline (
    position bigint generated always as identity primary key,
    entry_id text not null unique, -- of the event it came from
    strategy_id text not null,
    at timestamptz not null,
    kind text not null, -- strategy, stage, site, advice
    code text not null,
    message text not null,
    stage integer
);
create index timeline_by_strategy on timeline (strategy_id, position);

create table notification (
    notification_id bigint primary key,
    topic text not null,
    message text not null,
    about text not null,
    link text not null,
    raised_at timestamptz not null,
    read boolean not null default false,
    failed jsonb not null default '[]' -- the first failed operations that it tells of: [{operation_id, site}]
);
create index notification_unread on notification (notification_id) where not read;

create table subscription (
    name text primary key,
    url text not null,
    topics text[] not null,
    state text not null,
    reason text not null,
    format text not null default 'standard',
    template jsonb,
    seq bigint not null,
    at timestamptz not null
);

create table delivery (
    -- Of notifications to webhooks, and test calls (without a notification).
    position bigint generated always as identity primary key, -- newest last
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
    nth bigint not null, -- rises with each change: an older one changes nothing
    at timestamptz not null
);
create index delivery_by_subscription on delivery (subscription, position);
create index delivery_by_age on delivery (at);

create table app_behaviour (
    -- What people said of what is done by itself with an app.
    app text primary key,
    switches jsonb not null,
    reason text not null,
    changed_at timestamptz not null,
    changed_by text not null,
    nth bigint not null
);

create table failed_release (
    -- A release that failed in an operation of the deployer's own; without failures once all were cleared.
    app text not null,
    version text not null,
    failures bigint not null,
    barred boolean not null,
    sites jsonb not null, -- the last of them: site, operation_id, cause, at
    cleared_by text not null,
    at timestamptz not null,
    nth bigint not null,
    primary key (app, version)
);

create table drift (
    -- An app on a site that is not as it was left; kept when it is over, so that an older event cannot bring it back.
    site text not null,
    app text not null,
    version text,
    components jsonb not null,
    what_follows text not null,
    over boolean not null,
    at timestamptz not null,
    nth bigint not null default 1, -- of what was told of it; 1 = told without a number
    primary key (site, app)
);
create index drift_there_is on drift (site, app) where not over;

create table site_run (
    -- All apps of a site brought up to date, or back, one after the other.
    run_id text primary key,
    site text not null,
    kind text not null,
    state text not null,
    items jsonb not null,
    cause jsonb,
    requested_by text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    nth bigint not null,
    position bigint not null generated always as identity
);
create index site_run_of_site on site_run (site, position);
create unique index site_run_by_position on site_run (position);
