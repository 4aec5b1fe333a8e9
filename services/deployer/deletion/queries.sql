-- name: note_deleting
-- From here on no request takes it. Only the very content: a later release of the same version is another.
update release r set deletion = d.id, deletion_at = coalesce(r.deletion_at, :now::timestamptz)
from unnest(:ids::text[], :apps::text[], :versions::text[], :bundles::text[]) as d (id, app, version, bundle_sha256)
where r.app = d.app and r.version = d.version and r.bundle_sha256 = d.bundle_sha256
returning r.deletion;

-- name: uses
-- Of those asked for so long ago that no request accepted before can still be unseen here: where they are named, as what
-- runs, as what was left half-done, by an operation under way, or by one that waits behind others of its site. Those
-- further back in a history need it no more.
with due as (
    select app, version, bundle_sha256, deletion from release
    where deletion is not null and deletion_at <= :now::timestamptz - :settled::interval
    order by app, version for no key update -- those to which sites could go back are shared by ends of operations
), named as materialized (
    select d.deletion, x.site from due d join deployment x on x.app = d.app
    where x.version = d.version or d.version = any(x.leftovers)
    union
    select d.deletion, o.site from due d join operation o on o.app = d.app
    where o.finished_at is null and d.version in (o.from_version, o.to_version)
    union
    select d.deletion, r.site from site_run r
    join site_run_item i on i.run_id = r.id and i.state = 'waiting'
    join due d on d.app = i.app and d.version = i.to_version
    where r.finished_at is null
), counted as (
    select deletion, site, row_number() over (partition by deletion order by site) as nth from named
), strategies as (
    -- Most of their sites wait and have no operation yet.
    select distinct d.deletion, t.strategy from due d
    join strategy_target t on t.app = d.app and t.version in (d.version, '*') and t.needed_until > :now::timestamptz
)
select d.app, d.version, d.bundle_sha256, d.deletion, count(n.site) as sites,
    coalesce(array_agg(n.site order by n.site) filter (where n.nth <= 10), '{}') as examples,
    array(select s.strategy from strategies s where s.deletion = d.deletion order by s.strategy limit 10) as strategies
from due d left join counted n on n.deletion = d.deletion
group by d.app, d.version, d.bundle_sha256, d.deletion;

-- name: put_targets
insert into strategy_target (strategy_id, strategy, app, version, needed_until)
select * from unnest(:ids::text[], :strategies::text[], :apps::text[], :versions::text[], :untils::timestamptz[])
on conflict (strategy_id, version) do update set needed_until = excluded.needed_until;

-- name: move_strategies
update strategy_target t set needed_until = s.until
from unnest(:ids::text[], :untils::timestamptz[]) as s (id, until)
where t.strategy_id = s.id;

-- name: forget_strategies
delete from strategy_target where strategy_id = any(:ids::text[]);

-- name: keep
-- It is needed, so it may be chosen again.
update release set deletion = null, deletion_at = null where deletion = any(:ids::text[]);

-- name: told_unneeded
-- Said once; it stays closed to requests until it is gone.
update release set deletion_at = 'infinity' where deletion = any(:ids::text[]);

-- name: forget_releases
delete from release r using unnest(:apps::text[], :versions::text[], :bundles::text[]) as g (app, version, bundle_sha256)
where r.app = g.app and r.version = g.version and r.bundle_sha256 = g.bundle_sha256;

-- name: forget_preparations
delete from preparation p using unnest(:apps::text[], :versions::text[]) as g (app, version)
where p.app = g.app and p.version = g.version;

-- name: forget_revisions
-- A later release of the same version has other content: nothing may be taken for it.
delete from component_revision c using unnest(:apps::text[], :versions::text[]) as g (app, version)
where c.app = g.app and c.version = g.version;

-- name: lock_deployments
-- As ends of operations put them.
select from deployment where app = any(:apps::text[]) and (prestaged is not null or history && :versions::text[])
order by site, app for no key update;

-- name: forget_history
update deployment d set history = array_remove(d.history, g.version)
from unnest(:apps::text[], :versions::text[]) as g (app, version)
where d.app = g.app and g.version = any(d.history);

-- name: forget_prestaged
update deployment d set prestaged = (
    select nullif(jsonb_agg(one), '[]') from jsonb_array_elements(d.prestaged) as one
    where not one ->> 'bundle_sha256' = any(:bundles::text[])
)
where d.prestaged is not null and d.app = any(:apps::text[]);

-- name: forget_failures
delete from release_failure f using unnest(:apps::text[], :versions::text[]) as g (app, version)
where f.app = g.app and f.version = g.version;
