-- name: put_runs
insert into site_run as r (run_id, site, kind, state, items, cause, requested_by, started_at, finished_at, nth)
select run_id, site, kind, state, items::jsonb, cause, requested_by, started_at, finished_at, nth
from unnest(:ids::text[], :sites::text[], :kinds::text[], :states::text[], :items::text[], :causes::jsonb[],
    :bys::text[], :started::timestamptz[], :finished::timestamptz[], :nths::bigint[])
    as n (run_id, site, kind, state, items, cause, requested_by, started_at, finished_at, nth)
on conflict (run_id) do update set state = excluded.state, items = excluded.items, cause = excluded.cause,
    finished_at = excluded.finished_at, nth = excluded.nth
where r.nth <= excluded.nth;

-- name: list_runs
select position, run_id, site, kind, state, items, cause, requested_by, started_at, finished_at
from site_run
where position < :before and (:site::text is null or site = :site) and (:state::text is null or state = :state)
order by position desc limit :limit;

-- name: find_run
select run_id, site, kind, state, items, cause, requested_by, started_at, finished_at
from site_run where run_id = :run_id;

-- name: known_runs
select run_id from site_run where run_id = any(:ids::text[]);

-- name: prune_runs
delete from site_run where run_id = any(array(
    select run_id from (select run_id, finished_at from site_run order by position limit :limit) first
    where finished_at < :before
));
