-- Strategies may wait for the release that they go to.
create table publication (
    id text primary key,
    state text,
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null,
    check (state is distinct from 'available' or (app is not null and version is not null))
);
alter table strategy add column publication text, add column begins text not null default '';
alter table strategy
    drop constraint strategy_state_check,
    add constraint strategy_state_check check (state in (
        'waiting', 'ready', 'applying', 'paused', 'aborting', 'needs_inspection', 'complete', 'failed', 'aborted')),
    add constraint what_waits_has_a_publication check (state <> 'waiting' or publication is not null),
    add constraint what_begins_waits check (begins = '' or state = 'waiting');
create index strategy_waiting on strategy (publication) where state = 'waiting';
