-- What the catalog owns: bundles on their way to being releases, and the releases.

create table bundle (
    -- One row for each content ever published. Its state is the whole life of a release (domain.TRANSITIONS).
    sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes > 0),
    file_name text not null,
    state text not null check (state in ('validating', 'rejected', 'available', 'withdrawn', 'deleted')),
    sequence bigint not null default 0, -- of the events about it
    faults jsonb not null default '[]',
    received_at timestamptz not null,
    settled_at timestamptz,
    stored_since timestamptz, -- the very upload that was published, by the store's clock; a later one is another
    unneeded_at timestamptz, -- no site could go back to it: so the deployer said
    freed_at timestamptz, -- its content is gone from the blob store
    origin jsonb, -- from where it was fetched: source, resolved; null = it was uploaded
    check ((state = 'validating') = (settled_at is null)),
    check ((state = 'rejected') = (faults <> '[]')),
    check (unneeded_at is null or state = 'withdrawn'),
    constraint freed_when_nobody_needs_it check (
        freed_at is null or state in ('rejected', 'deleted') or (state = 'withdrawn' and unneeded_at is not null)
    )
);

create table publication (
    -- A command to publish, until the one event that tells its end; its row goes in the transaction that tells it.
    id text primary key, -- of the command
    bundle_sha256 text references bundle,
    app text, -- what it asked the release to be called; null = as the bundle says
    version text,
    correlation_id text not null,
    actor text not null,
    asked_at timestamptz not null,
    source text, -- from where it is being fetched; null = its bundle lies in the blob store
    wanted_sha256 text, -- what it must be
    file_name text not null default '',
    resolved text, -- what a tag meant when it was asked first
    validator text, -- by which the source tells the same file again (ETag)
    trouble_since timestamptz, -- what may pass has kept it from going on since then
    check ((source is null) = (bundle_sha256 is not null))
);
create index publication_of_bundle on publication (bundle_sha256);

create table deletion (
    -- A release that is to be deleted as soon as the deployer has said that no site needs it.
    bundle_sha256 text primary key references bundle,
    id text not null unique, -- of the command
    reason text not null,
    correlation_id text not null,
    actor text not null
);

create table signing_key (
    -- Keys of which one must have signed the bundles of an app. Apps without any take what is not signed.
    app text not null,
    name text not null,
    public_key text not null, -- Ed25519, in base64
    expires_at timestamptz, -- from then on it signs nothing new
    nth bigint not null, -- so many times it was set
    primary key (app, name)
);

create table host (
    -- What can be installed where, as deployers last said it.
    name text primary key,
    facts jsonb not null,
    heard_at timestamptz not null
);

create table storage (
    -- One row: what was last said of the blob store.
    one boolean primary key default true check (one),
    sequence bigint not null default 0,
    told jsonb not null default '{}'
);
insert into storage default values;

create table app (
    name text primary key,
    scheme text not null check (scheme in ('pep440', 'semver', 'natural')) -- fixed by the first release
);

create table release (
    id text primary key,
    app text not null references app,
    version text not null,
    canonical text not null, -- equal for versions that compare as equal, such as 1.0 and 1.0.0
    description text not null,
    bundle_sha256 text not null unique references bundle,
    upgrades_from_any boolean not null, -- true = reachable from every version; false = from its edges alone
    max_parallel_components integer check (max_parallel_components > 0), -- null = all that their order allows
    rules jsonb not null default '{}', -- what differs from shared.messages.rules.Rules()
    images text[] not null default '{}', -- that its containers and rendered charts name
    notices text[] not null default '{}', -- what its bundle says that has no meaning here, each with why
    published_at timestamptz not null,
    withdrawn_reason text,
    unique (app, version),
    unique (app, canonical)
);

create table component (
    release_id text not null references release,
    position integer not null,
    name text not null,
    driver text not null,
    after text[] not null default '{}', -- names of those that are deployed before it
    enabled boolean not null default true, -- false: deployed only where overrides switch it on
    timeout_seconds integer check (timeout_seconds > 0), -- null = as its driver or its spec says
    files_sha256 text, -- of all files that it is made of; null = it stands and falls with the bundle
    spec jsonb not null, -- as its driver takes it, with every default
    primary key (release_id, position),
    unique (release_id, name)
);

create table upgrade_edge (
    release_id text not null references release,
    position integer not null,
    from_range text not null check (from_range <> ''), -- a version range in the scheme of the app
    primary key (release_id, position)
);

create table preparation (
    -- What a release brings to sites, had ready once for all of them (preparation/domain.TRANSITIONS).
    bundle_sha256 text primary key references bundle,
    state text not null check (state in ('preparing', 'prepared', 'failed')),
    on_behalf text[] not null default '{}', -- who has asked; people are not named
    asked_at timestamptz not null, -- when it was begun last
    trouble_since timestamptz, -- what may pass has kept it from going on since then
    settled_at timestamptz,
    cause jsonb, -- code and message
    bytes bigint check (bytes >= 0), -- of all blobs that were prepared
    notes jsonb not null default '[]', -- what components do not bring, and why
    check ((state = 'preparing') = (settled_at is null)),
    check ((state = 'failed') = (cause is not null)),
    check ((state = 'prepared') = (bytes is not null)),
    check (trouble_since is null or state = 'preparing')
);

create table prepared_item (
    -- What is to lie on a site, as ReleasePrepared told it.
    bundle_sha256 text not null references preparation,
    position integer not null,
    component text not null,
    kind text not null check (kind in ('package', 'image')),
    name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes >= 0),
    platform text, -- of an image
    index_sha256 text, -- the list that an image was chosen from
    primary key (bundle_sha256, position)
);

create table prepared_blob (
    -- A blob that a preparation holds in the store, also before it lies there: so it is not freed under its feet.
    bundle_sha256 text not null references preparation,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes >= 0),
    primary key (bundle_sha256, sha256)
);
create index prepared_blob_holders on prepared_blob (sha256);

create view blob_holder as
    -- Who keeps a prepared blob from being freed: every bundle that is there, also if its preparation failed and is tried
    -- again one day. When the last one went, the blob goes.
    select p.bundle_sha256, p.sha256, b.freed_at is null as held, b.freed_at as let_go_at
    from prepared_blob p join bundle b on b.sha256 = p.bundle_sha256;
