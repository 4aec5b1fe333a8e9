-- name: put_behaviours
insert into app_behaviour as b (app, switches, reason, changed_at, changed_by, nth)
select * from unnest(:apps::text[], :switches::jsonb[], :reasons::text[], :ats::timestamptz[], :bys::text[],
    :nths::bigint[])
on conflict (app) do update set switches = excluded.switches, reason = excluded.reason,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by, nth = excluded.nth
where b.nth <= excluded.nth;

-- name: put_failed
insert into failed_release as f (app, version, failures, barred, sites, cleared_by, at, nth)
select app, version, failures, barred, sites::jsonb, cleared_by, at, nth
from unnest(:apps::text[], :versions::text[], :failures::bigint[], :barred::bool[], :sites::text[], :cleared::text[],
    :ats::timestamptz[], :nths::bigint[]) as n (app, version, failures, barred, sites, cleared_by, at, nth)
on conflict (app, version) do update set failures = excluded.failures, barred = excluded.barred,
    sites = excluded.sites, cleared_by = excluded.cleared_by, at = excluded.at, nth = excluded.nth
where f.nth <= excluded.nth;

-- name: put_drift
-- By number where both have one: what a deployer of before tells has none.
insert into drift as d (site, app, version, components, what_follows, over, at, nth)
select site, app, version, components::jsonb, what_follows, over, at, nth
from unnest(:sites::text[], :apps::text[], :versions::text[], :components::text[], :follows::text[], :over::bool[],
    :ats::timestamptz[], :nths::bigint[]) as n (site, app, version, components, what_follows, over, at, nth)
on conflict (site, app) do update set version = excluded.version, components = excluded.components,
    what_follows = excluded.what_follows, over = excluded.over, at = excluded.at, nth = excluded.nth
where case when least(d.nth, excluded.nth) > 1 then d.nth <= excluded.nth else d.at <= excluded.at end;

-- name: note_causes
-- The operation may have been heard of before, or not yet.
insert into operation as o (operation_id, site, app, kind, state, to_version, because, requested_at, at)
select n.operation_id, n.site, n.app, n.kind, 'queued', n.version, n.because, n.at, n.at
from unnest(:ids::text[], :sites::text[], :apps::text[], :kinds::text[], :versions::text[], :becauses::jsonb[],
    :ats::timestamptz[]) as n (operation_id, site, app, kind, version, because, at)
on conflict (operation_id) do update set because = excluded.because,
    to_version = coalesce(o.to_version, excluded.to_version), requested_at = least(o.requested_at, excluded.requested_at);

-- name: list_behaviours
select app, switches, reason, changed_at, changed_by from app_behaviour
where app > :after and (:app::text is null or app = :app) order by app limit :limit;

-- name: list_failed
-- Of releases that are there: one that was deleted is forgotten by its owner.
select app, version, failures, barred, sites, at from failed_release f
where failures > 0 and exists (select from release r where r.app = f.app and r.version = f.version)
    and (app, version) > (:app_after::text, :version_after::text)
    and (:app::text is null or app = :app)
order by app, version limit :limit;

-- name: list_drift
select d.site, d.app, d.version, d.components, d.what_follows as "then", d.at as found_at
from drift d join site s on s.name = d.site and not s.removed
where not d.over and (d.site, d.app) > (:site_after::text, :app_after::text)
    and (:site::text is null or d.site = :site) and (:app::text is null or d.app = :app)
order by d.site, d.app limit :limit;
