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

alter table operation add column because jsonb; -- why the deployer began it by itself; null = somebody asked for it
