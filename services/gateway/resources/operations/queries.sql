-- name: queue_operations
-- The deployer took them; an event of the operation itself may have come first.
insert into operation (operation_id, site, app, kind, state, to_version, requested_at, at, publication)
select n.operation_id, n.site, n.app, n.kind, 'queued', n.to_version, n.requested_at, n.requested_at, n.publication
from unnest(:ids::text[], :sites::text[], :apps::text[], :kinds::text[], :to_versions::text[],
            :requested::timestamptz[], :publications::text[])
    as n (operation_id, site, app, kind, to_version, requested_at, publication)
on conflict (operation_id) do update set requested_at = least(operation.requested_at, excluded.requested_at),
    to_version = coalesce(operation.to_version, excluded.to_version),
    publication = coalesce(operation.publication, excluded.publication);

-- name: progress_operations
insert into operation as o (
    operation_id, site, app, kind, state, phase, percent, plan, doing, strategy_id, requested_at, at, publication
)
select n.operation_id, n.site, n.app, n.kind, 'running', n.phase, n.percent, n.plan::jsonb, n.doing::jsonb,
       n.strategy_id, n.began_at, n.at, n.publication
from unnest(:ids::text[], :sites::text[], :apps::text[], :kinds::text[], :phases::text[], :percents::int[],
            :plans::text[], :doings::text[], :strategy_ids::text[], :began_ats::timestamptz[], :ats::timestamptz[],
            :publications::text[])
    as n (operation_id, site, app, kind, phase, percent, plan, doing, strategy_id, began_at, at, publication)
on conflict (operation_id) do update set
    state = 'running', phase = excluded.phase, percent = excluded.percent, strategy_id = excluded.strategy_id,
    doing = excluded.doing, publication = coalesce(excluded.publication, o.publication),
    plan = case when excluded.plan = '[]' then o.plan else excluded.plan end, at = excluded.at
where o.state = 'queued' or (o.state = 'running' and o.at <= excluded.at);

-- name: finish_operations
-- Ended once, ended for ever: only what had not ended comes back. An operation of a strategy is written here for the
-- first time; what is known of its beginning is how long it took. What thousands of them share is parsed once.
with ending as materialized (
    select number, app, kind, state, from_version, to_version, version, recovered, cause::jsonb as cause,
           plan::jsonb as plan, phases::jsonb as phases, last_lines::jsonb as last_lines, strategy_id, at
    from unnest(:apps::text[], :kinds::text[], :states::text[], :from_versions::text[], :to_versions::text[],
                :versions::text[], :recovered::bool[], :causes::text[], :plans::text[], :phases::text[],
                :last_lines::text[], :strategy_ids::text[], :ats::timestamptz[]) with ordinality
        as e (app, kind, state, from_version, to_version, version, recovered, cause, plan, phases, last_lines,
              strategy_id, at, number)
)
insert into operation as o (operation_id, site, app, kind, state, phase, percent, from_version, to_version, version,
                            recovered, cause, plan, phases, last_lines, strategy_id, requested_at, finished_at, seconds,
                            fetched_bytes, at)
select n.operation_id, n.site, e.app, e.kind, e.state, 'done', 100, e.from_version, e.to_version, e.version,
       e.recovered, e.cause, e.plan, e.phases, e.last_lines, e.strategy_id,
       e.at - make_interval(secs => n.seconds), e.at, n.seconds, n.fetched_bytes, e.at
from unnest(:ids::text[], :sites::text[], :seconds::float8[], :endings::int[], :fetched::bigint[]) with ordinality
    as n (operation_id, site, seconds, ending, fetched_bytes, place)
join ending e on e.number = n.ending
order by n.place
on conflict (operation_id) do update set
    state = excluded.state, percent = excluded.percent, doing = '[]',
    phase = case when excluded.state = 'failed' then o.phase else excluded.phase end,
    from_version = excluded.from_version, to_version = excluded.to_version, version = excluded.version,
    recovered = excluded.recovered, cause = excluded.cause, plan = excluded.plan, phases = excluded.phases,
    last_lines = excluded.last_lines, strategy_id = excluded.strategy_id, finished_at = excluded.finished_at,
    -- Clocks differ, and an event may be here before the answer: it began no later than its end minus what it took.
    requested_at = least(o.requested_at, excluded.requested_at),
    seconds = excluded.seconds, fetched_bytes = excluded.fetched_bytes, at = excluded.at
where o.state in ('queued', 'running')
returning o.operation_id;

-- name: find_operation
select operation_id, site, app, kind, state, phase, percent, from_version, to_version, version, recovered,
       cause, plan, doing, phases, last_lines, strategy_id, requested_at, finished_at, seconds, fetched_bytes, because,
       publication
from operation where operation_id = :operation_id;

-- name: list_operations
select position, operation_id, site, app, kind, state, phase, percent, from_version, to_version, version, recovered,
       cause, plan, doing, phases, strategy_id, requested_at, finished_at, seconds, fetched_bytes, because,
       publication
from operation
where position < :before
  and (:site::text is null or site = :site)
  and (:app::text is null or app = :app)
  and (:state::text is null or state = :state)
  and (:strategy_id::text is null or strategy_id = :strategy_id)
order by position desc limit :limit;

-- name: prune_operations
-- Those that came first, by their position: looked for among all, none would be found at the price of all. One of which
-- nothing was heard for so long has no end to come.
delete from operation where operation_id = any(array(
    select operation_id from (select operation_id, at from operation order by position limit :limit) first
    where at < :before
));
