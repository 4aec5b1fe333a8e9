-- name: lock_app
insert into override_app (app, changes) values (:app, 1)
on conflict (app) do update set changes = override_app.changes + 1;

-- name: find_kept
select o.given, o.enabled, o.namespace, o.nth, c.at, c.changed_by
from override o
left join override_change c using (app, level, target, component, nth)
where o.app = :app and o.level = :level and o.target = :target and o.component = :component
for update of o;

-- name: find_changes
select c.app, c.level, c.target, c.component, c.nth, c.given, c.enabled, c.namespace
from override_change c
join unnest(:apps::text[], :levels::text[], :targets::text[], :components::text[], :nths::bigint[])
    as n (app, level, target, component, nth) using (app, level, target, component, nth);

-- name: find_below
select o.level, o.target, o.given, o.enabled, o.namespace from override o
where o.app = :app and o.component = :component and (
    (o.level = 'fleet' and :level::text <> 'fleet')
    or (o.level = 'group' and o.target = (select site_group from site where name = :site))
)
order by o.level;

-- name: put_overrides
-- The history takes each number once: whoever comes second with it breaks, and tries anew on what is there then. Names
-- of secrets hold no spaces, so lists of them travel as words.
with told as (
    select app, level, target, component, nth, given, enabled, namespace,
        string_to_array(secrets, ' ') as secrets, changed_by, reason
    from unnest(
        :apps::text[], :levels::text[], :targets::text[], :components::text[], :nths::bigint[], :given::jsonb[],
        :enabled::boolean[], :namespaces::text[], :secrets::text[], :by::text[], :reasons::text[]
    ) as n (app, level, target, component, nth, given, enabled, namespace, secrets, changed_by, reason)
), kept as (
    insert into override_change (
        app, level, target, component, nth, given, enabled, namespace, secrets, at, changed_by, reason
    )
    select app, level, target, component, nth, given, enabled, namespace, secrets, :now::timestamptz, changed_by, reason
    from told
)
insert into override as o (app, level, target, component, given, enabled, namespace, secrets, nth)
select app, level, target, component, given, enabled, namespace, secrets, nth from told
on conflict (app, level, target, component) do update set given = excluded.given, enabled = excluded.enabled,
    namespace = excluded.namespace, secrets = excluded.secrets, nth = excluded.nth
    where o.nth = excluded.nth - 1;

-- name: find_releases_of
-- What runs at the level first: of a site its own, of a group those of its sites, of the fleet all.
select r.version, r.rules,
    (select c from jsonb_array_elements(r.components) as c where c ->> 'name' = :component) as told,
    r.version in (
        select d.version from deployment d join site s on s.name = d.site
        where d.app = :app and (:site::text is null or d.site = :site) and (:group::text is null or s.site_group = :group)
    ) as runs
from release r
where r.app = :app and (
    not r.withdrawn or r.version = (select version from deployment where site = :site and app = :app)
)
order by r.version;

-- name: knows
select exists (select from release where app = :app) as app,
    case :level when 'fleet' then true
        when 'group' then exists (select from site where site_group = :target and not gone)
        else exists (select from site where name = :target and not gone) end as target;

-- name: overrides_using
-- Also by what sites run with: their way back needs it.
select app, level, target, component, count(*) over () as total from (
    select app, level, target, component from override where secrets <> '{}' and secrets @> array[:name::text]
    union
    select d.app, 'site', d.site, c.component
    from override_change c
    join deployment d on d.app = c.app and d.overrides is not null
        and (c.level <> 'site' or d.site = c.target)
    where c.secrets <> '{}' and c.secrets @> array[:name::text] and exists (
        select from jsonb_each(d.overrides) as each, jsonb_array_elements_text(each.value) as ref
        where ref in (
            case c.level when 'group' then 'group:' || c.target else c.level end || '/' || c.component || '/' || c.nth,
            case c.level when 'group' then 'group:' || c.target else c.level end || '/' || c.component || '/' || c.nth
                || '/values'
        )
    )
) as used (app, level, target, component)
order by app, level, target, component limit :limit;

-- name: find_set_for
select app, target, component, given, enabled, namespace, nth from override
where level = :level and target = any(:targets::text[])
    and (given <> '{}' or enabled is not null or namespace is not null)
order by app, target, component
for update;

-- name: lock_kept
select o.app, o.level, o.target, o.component, o.given, o.enabled, o.namespace, o.nth from override o
join unnest(:apps::text[], :levels::text[], :targets::text[], :components::text[], :nths::bigint[])
    as n (app, level, target, component, nth) using (app, level, target, component, nth)
order by o.app, o.level, o.target, o.component
for update of o;
