-- What people set over the values of releases, and what deployments were made with.
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

alter table deployment add column overrides text[];
