-- name: insert_runs
-- What does not come back met a run on its site that began in the meantime, or is known already.
insert into site_run (
    id, site, kind, state, go_on, prereleases, timeout_seconds, asked_seconds, strategy_id, actor, correlation_id,
    started_at, look_at
)
select id, site, kind, 'running', go_on, prereleases, timeout_seconds, asked_seconds, strategy_id, actor, correlation_id,
    :now::timestamptz, clock_timestamp()
from unnest(:ids::text[], :sites::text[], :kinds::text[], :go_ons::boolean[], :prereleases::boolean[], :timeouts::int[],
    :asked::int[], :strategy_ids::text[], :actors::text[], :correlation_ids::text[])
    as n (id, site, kind, go_on, prereleases, timeout_seconds, asked_seconds, strategy_id, actor, correlation_id)
on conflict do nothing
returning id;

-- name: put_items
insert into site_run_item (
    run_id, position, app, kind, state, from_version, to_version, operation_id, request, cause
)
select * from unnest(:run_ids::text[], :positions::int[], :apps::text[], :kinds::text[], :states::text[],
    :from_versions::text[], :to_versions::text[], :operation_ids::text[], :requests::jsonb[], :causes::jsonb[])
on conflict (run_id, position) do update set state = excluded.state, kind = excluded.kind,
    from_version = excluded.from_version, to_version = excluded.to_version, operation_id = excluded.operation_id,
    cause = excluded.cause;

-- name: claim_runs
-- Those that are due; of what another replica works on this very moment nothing is waited for.
select id, site, kind, state, go_on, prereleases, timeout_seconds, asked_seconds, strategy_id, actor, correlation_id,
    cancel_reason, cause, started_at, nth
from site_run where finished_at is null and look_at <= clock_timestamp()
order by look_at limit :limit for update skip locked;

-- name: items_of
select run_id, position, app, kind, state, from_version, to_version, operation_id, request, cause
from site_run_item where run_id = any(:run_ids::text[]) order by run_id, position;

-- name: put_runs
update site_run r set state = n.state, cause = n.cause, nth = n.nth, look_at = clock_timestamp() + n.pause,
    finished_at = case when n.state in ('done', 'failed', 'aborted') then :now::timestamptz end
from unnest(:ids::text[], :states::text[], :causes::jsonb[], :nths::bigint[], :pauses::interval[])
    as n (id, state, cause, nth, pause)
where r.id = n.id;

-- name: mark_operations
-- One that waited for its publication before may have been told of, once: who hears of it knows that number.
update operation o set run_id = n.run_id, sequence = greatest(o.sequence, 1) from unnest(:operation_ids::text[], :run_ids::text[]) as n (id, run_id)
where o.id = n.id;

-- name: refuse_operation
-- It was asked for and accepted: whoever waits for it is told that it did not begin.
insert into operation (
    id, site, app, kind, from_version, to_version, strategy_id, timeout_seconds, correlation_id, actor, requested_at,
    refused, run_id, sequence
)
select :id, :site, :app, :kind, (select version from deployment where site = :site and app = :app), :to_version,
    :strategy_id, :timeout_seconds, :correlation_id, :actor, :now, :cause::jsonb, :run_id, 1
on conflict do nothing
returning id;

-- name: note_ends
-- How operations of runs ended. The runs are looked at soon; one that somebody is looking at is found again by itself.
with ended as materialized (
    select * from unnest(:operation_ids::text[], :states::text[], :causes::jsonb[]) as n (operation_id, state, cause)
), noted as (
    update site_run_item i set state = e.state, cause = e.cause from ended e
    where i.operation_id = e.operation_id and i.state = 'running'
    returning i.run_id
)
update site_run set look_at = clock_timestamp() where id = any(array(
    select id from site_run where id in (select run_id from noted) for update skip locked
));

-- name: stop_runs
update site_run set state = 'stopping', cancel_reason = n.reason, look_at = clock_timestamp()
from unnest(:ids::text[], :reasons::text[]) as n (id, reason)
where site_run.id = n.id and finished_at is null and cancel_reason is null
returning site_run.id;

-- name: stop_runs_of
-- Runs by the operation that somebody asked for.
update site_run set state = 'stopping', cancel_reason = n.reason, look_at = clock_timestamp()
from unnest(:operation_ids::text[], :reasons::text[]) as n (operation_id, reason), site_run_item i
where i.operation_id = n.operation_id and i.request is not null and site_run.id = i.run_id
    and finished_at is null and cancel_reason is null;

-- name: find_runs
select id, site, finished_at is not null as finished from site_run where id = any(:ids::text[]);

-- name: prune_site_runs
delete from site_run where ctid >= :first::tid and ctid < :behind::tid and finished_at < :before;
