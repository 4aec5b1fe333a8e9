create table app_behaviour (
    -- What people said of what is done by itself with an app: over what its releases say.
    app text primary key,
    switches jsonb not null, -- those that somebody set
    nth bigint not null check (nth >= 1) -- so many changes, and so many events
);

create table failed_release (
    -- A release that failed in an operation of the deployer's own. It stays when it is cleared: its events are counted here.
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
