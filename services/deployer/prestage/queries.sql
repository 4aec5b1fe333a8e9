-- name: find_preparations
select app, version, bundle_sha256, content, bytes, notes, at
from preparation join unnest(:apps::text[], :versions::text[]) as p (app, version) using (app, version)
where state = 'prepared';

-- name: find_prepared_bundles
select app, version, bundle_sha256
from preparation join unnest(:apps::text[], :versions::text[]) as p (app, version) using (app, version)
where state = 'prepared';

-- name: lock_preparations
-- Of each release, in one order: whoever asks waits for whoever is learning of the end, and the other way round. What
-- comes back is how they stand once that is over.
insert into preparation as p (app, version, state)
select app, version, 'asked' from unnest(:apps::text[], :versions::text[]) as n (app, version) order by app, version
on conflict (app, version) do update set app = excluded.app
returning p.app, p.version, p.state, p.bundle_sha256, p.cause, p.failed_for;

-- name: ask_preparations
update preparation p set state = 'asked'
from unnest(:apps::text[], :versions::text[]) as n (app, version)
where p.app = n.app and p.version = n.version and p.state = 'failed';

-- name: put_prepared
insert into preparation as p (app, version, state, bundle_sha256, content, bytes, notes, at)
select app, version, 'prepared', bundle_sha256, content, bytes, coalesce(notes, '{}'), at
from jsonb_to_recordset(:prepared::jsonb) as n (
    app text, version text, bundle_sha256 text, content jsonb, bytes bigint, notes text[], at timestamptz
) order by app, version
on conflict (app, version) do update set state = 'prepared', bundle_sha256 = excluded.bundle_sha256,
    content = excluded.content, bytes = excluded.bytes, notes = excluded.notes, at = excluded.at;

-- name: put_failed
-- What is prepared stays so: an event of an earlier try may come again.
insert into preparation as p (app, version, state, bundle_sha256, cause, failed_for, at)
select app, version, 'failed', bundle_sha256, cause, failed_for, at
from jsonb_to_recordset(:failed::jsonb) as n (
    app text, version text, bundle_sha256 text, cause jsonb, failed_for text[], at timestamptz
) order by app, version
on conflict (app, version) do update set state = 'failed', bundle_sha256 = excluded.bundle_sha256,
    cause = excluded.cause, at = excluded.at,
    failed_for = array(select distinct f from unnest(p.failed_for || excluded.failed_for) as u (f))
where p.state <> 'prepared';

-- name: mark_prestages
update operation o set on_behalf = n.on_behalf, awaits = n.awaits, refused = n.refused, force = n.force
from unnest(:ids::text[], :behalves::text[], :awaits::text[], :refused::jsonb[], :force::boolean[])
    as n (id, on_behalf, awaits, refused, force)
where o.id = n.id;

-- name: free_prepared
-- Operations in order of their ids, here and below, as whoever cancels some of them locks them.
with held as materialized (
    select o.id from unnest(:apps::text[], :versions::text[]) as n (app, version)
    join operation o on o.app = n.app and o.to_version = n.version and o.awaits is not null
    order by o.id for no key update of o
)
update operation set awaits = null where id = any(array(select id from held));

-- name: free_failed
with held as materialized (
    select o.id, n.cause
    from jsonb_to_recordset(:failed::jsonb) as n (app text, version text, cause jsonb, failed_for text[])
    join operation o on o.app = n.app and o.to_version = n.version and o.awaits is not null
        and o.on_behalf = any(n.failed_for)
    order by o.id for no key update of o
)
update operation o set awaits = null, refused = h.cause from held h where o.id = h.id;

-- name: free_refused
-- The catalog took their command not at all.
with held as materialized (
    select o.id, n.cause from unnest(:apps::text[], :commands::text[], :causes::jsonb[]) as n (app, command, cause)
    join operation o on o.app = n.app and o.awaits = n.command
    order by o.id for no key update of o
)
update operation o set awaits = null, refused = h.cause from held h where o.id = h.id;

-- name: put_prestaged
-- An array of arrays would be one of two dimensions, so lists travel as text.
update deployment d set prestaged = n.prestaged::jsonb
from unnest(:sites::text[], :apps::text[], :prestaged::text[]) as n (site, app, prestaged)
where d.site = n.site and d.app = n.app;

-- name: find_others
-- What other apps of these sites may need of the content that lies there.
select p.site, d.app, d.version, d.history, d.leftovers, d.prestaged
from unnest(:sites::text[], :apps::text[]) as p (site, app)
join deployment d on d.site = p.site and d.app <> p.app
where d.version is not null or d.prestaged is not null;
