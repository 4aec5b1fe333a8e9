-- What people set over the values of releases, for the fleet, groups and sites.
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

alter table site add column site_group text;
alter table deployment add column overrides jsonb;
alter table operation add column terms jsonb;
