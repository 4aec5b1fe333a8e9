-- name: list_apps
-- Apps that have a release or run somewhere.
select a.app,
       coalesce(r.releases, '[]') as releases,
       (select count(*) from deployment d where d.app = a.app and d.version is not null) as deployments
from (select app from release union select app from deployment) a
left join lateral (
    select jsonb_agg(jsonb_build_array(scheme, version, state)) as releases from release where app = a.app
) r on true
where a.app > :after order by a.app limit :limit;
