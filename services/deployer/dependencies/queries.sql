-- name: find_surroundings
-- What sites are, and what is deployed on them. Asked only for releases that need something of a site or of other apps,
-- and for apps that others need.
select s.name as site, coalesce(a.facts, '{}') || s.facts as facts, coalesce(d.apps, '[]') as apps
from site s
left join availability a on a.site = s.name
left join lateral (
    select jsonb_agg(jsonb_build_array(d.app, d.version, r.scheme, r.rules, r.withdrawn)) as apps
    from deployment d join release r on r.app = d.app and r.version = d.version
    where d.site = s.name
) d on true
where s.name = any(:sites::text[]);

-- name: list_releases
-- All of these apps that may be chosen.
select app, version, scheme, upgrades_from, drivers, rules, withdrawn
from release where app = any(:apps::text[]) and not withdrawn and deletion is null;

-- name: rely_on
-- In one order, so that two transactions never wait for each other.
insert into relied_app (app) select app from unnest(:apps::text[]) as a (app) order by app on conflict (app) do nothing;

-- name: apps_relied_on
select app from relied_app;
