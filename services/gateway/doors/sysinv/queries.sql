-- name: sites_of_group
select name from site where group_name = :group and not removed order by name;

-- name: releases
-- Without those that are to be deleted.
select app, version, published_at from release
where state = 'available' and coalesce(deletion ->> 'state', '') <> 'asked' and (:app::text is null or app = :app)
order by app, published_at desc, version desc;

-- name: deployments
select site, app, version, status, operation_id, at from deployment
where site = any(:sites::text[]) and (:app::text is null or app = :app);

-- name: running
select operation_id, site, app, kind, state, phase, from_version, to_version, recovered, cause, at, '{}'::text[] as went from operation
where site = any(:sites::text[]) and (:app::text is null or app = :app)
  and state in ('queued', 'running') and kind <> 'prestage';

-- name: ended
select operation_id, site, app, kind, state, phase, from_version, to_version, recovered, cause, at,
       array(select p ->> 'name' from jsonb_array_elements(phases) p) as went
from operation where operation_id = any(:ids::text[]);

-- name: uploads
-- What was uploaded at the door, the last of each app last; what came of it, as far as it is known.
select n.key, n.given_at, p.state, p.phase, p.done_bytes, p.total_bytes, p.app, p.version, p.faults
from door_number n left join publication p on p.id = split_part(n.key, '/', 3)
where n.door = :door and n.kind = 'upload' and n.given_at > :since and (p.id is not null or n.given_at > :under_way_since)
order by n.number;

-- name: put_away
select key from door_number where door = :door and kind = 'put away' and key = any(:keys::text[]);

-- name: strategies
-- Those of the door that have not been put away, by their names.
select strategy_id, name, spec, state, why, started_at from strategy where not deleted and name = any(:names::text[]);

-- name: strategy
select state, why, started_at from strategy where strategy_id = :id;

-- name: components
select components from release where app = :app and version = :version;

-- name: bundles_named
-- Releases that were published from a file of this name, the last one first.
select b.app, b.version from bundle b join release r on r.app = b.app and r.version = b.version
where b.file_name = :file_name and b.state = 'available' and r.state = 'available'
  and (:app::text is null or b.app = :app) and (:version::text is null or b.version = :version)
order by r.published_at desc;

-- name: publication
select state, app, version, faults from publication where id = :id;

-- name: operation
select operation_id, site, app, kind, state, phase, from_version, to_version, recovered, cause, at,
       array(select p ->> 'name' from jsonb_array_elements(phases) p) as went
from operation where operation_id = :id;

-- name: versions
-- Releases that are available, with what became of the wish to have them gone: refused, asked, or null.
select version, deletion from release where app = :app and state = 'available' order by published_at desc, version desc;

-- name: last_runs
-- Of each site the last run over its apps.
select distinct on (site) site, kind, state, items from site_run
where site = any(:sites::text[]) and kind in ('update', 'rollback')
order by site, position desc;

-- name: layers
-- What is set for the components of an app at each level that counts where the door speaks for, the weakest first.
select o.component, c.level, c.given, c.enabled, c.namespace
from override o join override_change c using (app, level, target, component, nth)
where o.app = :app and (
    o.level = 'fleet' or (o.level = 'site' and o.target = :site)
    or (o.level = 'group'
        and o.target = coalesce(:group::text, (select group_name from site where name = :site and not removed)))
)
order by o.component, o.level;

-- name: is_set
-- Whether so many changes of what is set at one place can be read.
select exists (
    select from override
    where app = :app and level = :level and target = :target and component = :component and nth >= :nth
);
