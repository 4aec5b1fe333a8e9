-- name: begin
insert into publication (id, state, bundle_sha256, at)
select n.id, 'under_way', n.bundle_sha256, n.at
from unnest(:ids::text[], :bundles::text[], :ats::timestamptz[]) as n (id, bundle_sha256, at)
on conflict (id) do nothing;

-- name: put_progress
-- What has ended stays so. When it was begun is told by our clock, how far it is by the catalog's.
insert into publication as p (id, state, phase, done_bytes, total_bytes, step, step_done, step_total, waits, at)
select n.id, 'under_way', n.phase, n.done_bytes, n.total_bytes, n.step, n.step_done, n.step_total, n.waits::jsonb, n.at
from unnest(:ids::text[], :phases::text[], :done::bigint[], :totals::bigint[], :steps::text[], :step_done::bigint[],
            :step_totals::bigint[], :waits::text[], :ats::timestamptz[])
    as n (id, phase, done_bytes, total_bytes, step, step_done, step_total, waits, at)
on conflict (id) do update set phase = excluded.phase, done_bytes = excluded.done_bytes,
    total_bytes = excluded.total_bytes, step = excluded.step, step_done = excluded.step_done,
    step_total = excluded.step_total, waits = excluded.waits, at = excluded.at
where p.state = 'under_way' and (p.phase is null or p.at <= excluded.at);

-- name: put_ends
insert into publication as p (id, state, bundle_sha256, app, version, faults, at)
select n.id, n.state, n.bundle_sha256, n.app, n.version, n.faults::jsonb, n.at
from unnest(:ids::text[], :states::text[], :bundles::text[], :apps::text[], :versions::text[], :faults::text[],
            :ats::timestamptz[]) as n (id, state, bundle_sha256, app, version, faults, at)
on conflict (id) do update set state = excluded.state, phase = null, step = null, step_done = null,
    step_total = null, waits = null, bundle_sha256 = excluded.bundle_sha256,
    app = excluded.app, version = excluded.version, faults = excluded.faults, at = excluded.at
where p.state = 'under_way';

-- name: find_publication
select id as publication, state, phase, done_bytes, total_bytes, step, step_done, step_total, waits, bundle_sha256, app, version, faults, at
from publication where id = :id;

-- name: prune
delete from publication where id in (
    select id from publication where at < :before::timestamptz limit :limit
)
returning id;
