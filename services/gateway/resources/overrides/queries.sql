-- name: put_changes
-- A change never changes; the last one by its number says what is set, in whatever order they come.
with told as (
    select * from unnest(
        :apps::text[], :levels::text[], :targets::text[], :components::text[], :nths::bigint[], :given::jsonb[],
        :enabled::boolean[], :namespaces::text[], :ats::timestamptz[], :bys::text[], :reasons::text[]
    ) as n (app, level, target, component, nth, given, enabled, namespace, at, changed_by, reason)
), kept as (
    insert into override_change (
        app, level, target, component, nth, given, enabled, namespace, at, changed_by, reason
    )
    select app, level, target, component, nth, given, enabled, namespace, at, changed_by, reason from told
    on conflict (app, level, target, component, nth) do nothing
)
insert into override as o (app, level, target, component, nth)
select app, level, target, component, max(nth) from told group by app, level, target, component
on conflict (app, level, target, component) do update set nth = excluded.nth where o.nth < excluded.nth;

-- name: list_set
select c.app, c.level, nullif(c.target, '') as target, c.component, c.given as values, c.enabled, c.namespace, c.nth,
    c.at, c.changed_by as by, c.reason
from override o join override_change c using (app, level, target, component, nth)
where o.app = :app and (o.level, o.target, o.component) > (:after_level, :after_target, :after_component)
    and (:level::text is null or o.level = :level) and (:target::text is null or o.target = :target)
    and (:component::text is null or o.component = :component)
    and (c.given <> '{}' or c.enabled is not null or c.namespace is not null)
order by o.level, o.target, o.component limit :limit;

-- name: find_levels
select c.level, nullif(c.target, '') as target, c.given as values, c.enabled, c.namespace, c.nth, c.at,
    c.changed_by as by, c.reason
from override o join override_change c using (app, level, target, component, nth)
where o.app = :app and o.component = :component and (
    o.level = 'fleet' or (o.level = 'group' and o.target = :group) or (o.level = 'site' and o.target = :site)
)
order by o.level;

-- name: find_history
select c.level, nullif(c.target, '') as target, c.component, c.given as values, c.enabled, c.namespace, c.nth, c.at,
    c.changed_by as by, c.reason
from override_change c
where c.app = :app and c.level = :level and c.target = :target and c.component = :component and c.nth < :before
order by c.nth desc limit :limit;

-- name: find_changes
select c.app, c.level, c.target, c.component, c.nth, c.given, c.enabled, c.namespace
from override_change c
join unnest(:apps::text[], :levels::text[], :targets::text[], :components::text[], :nths::bigint[])
    as n (app, level, target, component, nth) using (app, level, target, component, nth);

-- name: find_group_of
select group_name from site where name = :site and not removed;

-- name: find_release_under
select r.version, r.components, r.rules from release r
where r.app = :app and (:version::text is null or r.version = :version)
order by coalesce(r.version = (select version from deployment where site = :site and app = :app), false) desc,
    r.state = 'available' desc, r.published_at desc
limit 1;

-- name: prune_changes
-- As the deployer does, which no longer sets them again. What is told of deployments that were made with one stays.
delete from override_change where (app, level, target, component, nth) in (
    select c.app, c.level, c.target, c.component, c.nth
    from override_change c join override o using (app, level, target, component)
    where c.at < :before::timestamptz and c.nth <= o.nth - :keep::bigint and not exists (
        select from deployment d, unnest(d.overrides) as u (ref)
        where d.app = c.app and (c.level <> 'site' or d.site = c.target)
            and split_part(u.ref, '/', 1) = case c.level when 'group' then 'group:' || c.target else c.level end
            and split_part(u.ref, '/', 2) = c.component and split_part(u.ref, '/', 3) = c.nth::text
    )
    limit :limit
);
