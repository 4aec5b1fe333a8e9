-- name: put_releases
insert into release as r (app, version, release_id, scheme, state, description, bundle_sha256, bundle_bytes,
                          upgrades_from, components, requires, published_at, seq, at)
select n.app, n.version, n.release_id, n.scheme, 'available', n.description, n.bundle_sha256, n.bundle_bytes,
       n.upgrades_from::jsonb, n.components::jsonb, n.requires::jsonb, n.published_at, n.seq, n.at
from unnest(:apps::text[], :versions::text[], :ids::text[], :schemes::text[], :descriptions::text[], :bundles::text[],
            :sizes::bigint[], :upgrades::text[], :components::text[], :requires::text[],
            :published::timestamptz[], :seqs::bigint[], :ats::timestamptz[])
    as n (app, version, release_id, scheme, description, bundle_sha256, bundle_bytes, upgrades_from, components,
          requires, published_at, seq, at)
on conflict (app, version) do update set
    release_id = excluded.release_id, scheme = excluded.scheme, state = excluded.state,
    description = excluded.description, bundle_sha256 = excluded.bundle_sha256, bundle_bytes = excluded.bundle_bytes,
    upgrades_from = excluded.upgrades_from, components = excluded.components, requires = excluded.requires,
    published_at = excluded.published_at, seq = excluded.seq, at = excluded.at
where (r.seq, r.at) <= (excluded.seq, excluded.at);

-- name: withdraw_releases
update release r set state = 'withdrawn', seq = w.seq, at = w.at
from unnest(:apps::text[], :versions::text[], :seqs::bigint[], :ats::timestamptz[]) as w (app, version, seq, at)
where r.app = w.app and r.version = w.version and (r.seq, r.at) <= (w.seq, w.at);

-- name: put_bundles
insert into bundle as b (bundle_sha256, file_name, state, app, version, faults, at)
select n.bundle_sha256, n.file_name, n.state, n.app, n.version, n.faults::jsonb, n.at
from unnest(:bundles::text[], :file_names::text[], :states::text[], :apps::text[], :versions::text[], :faults::text[],
            :ats::timestamptz[]) as n (bundle_sha256, file_name, state, app, version, faults, at)
on conflict (bundle_sha256) do update set
    file_name = case when excluded.file_name = '' then b.file_name else excluded.file_name end,
    state = excluded.state, app = excluded.app, version = excluded.version, faults = excluded.faults, at = excluded.at
where b.state = 'validating' or b.at <= excluded.at;

-- name: await_bundle
-- What is available stays so: the catalog takes the same content for the same release.
insert into bundle as b (bundle_sha256, file_name, state, at) values (:bundle, :file_name, 'validating', :at)
on conflict (bundle_sha256) do update set state = 'validating', file_name = excluded.file_name, faults = '[]'
where b.state = 'rejected';

-- name: refuse_bundles
-- A bundle whose release is there already stays what it is.
update bundle b set state = 'rejected', faults = r.faults::jsonb, at = :now
from unnest(:bundles::text[], :faults::text[]) as r (bundle_sha256, faults)
where b.bundle_sha256 = r.bundle_sha256 and b.state = 'validating';

-- name: find_bundle
select bundle_sha256, file_name, state, app, version, faults from bundle where bundle_sha256 = :bundle;

-- name: list_releases
select release_id, app, version, state, description, upgrades_from, bundle_sha256, bundle_bytes, components,
       requires, published_at
from release
where (published_at, app, version) < (:before_at, :before_app, :before_version)
  and (:app::text is null or app = :app)
  and (:version::text is null or version = :version)
  and (:state::text is null or state = :state)
order by published_at desc, app desc, version desc limit :limit;

-- name: put_hosts
insert into host as h (name, facts, at)
select name, facts::jsonb, at from unnest(:names::text[], :facts::text[], :ats::timestamptz[]) as n (name, facts, at)
on conflict (name) do update set facts = excluded.facts, at = excluded.at where h.at <= excluded.at;

-- name: list_hosts
select name as host, facts -> 'environment' as environment, facts -> 'abis' as abis, facts -> 'platforms' as platforms,
    at as heard_at
from host where name > :after order by name limit :limit;

-- name: put_storage
insert into storage as s (one, used_bytes, bundles, withdrawn_bytes, reclaimable_bytes, free_bytes, measured_at, seq)
values (true, :used_bytes, :bundles, :withdrawn_bytes, :reclaimable_bytes, :free_bytes, :measured_at, :seq)
on conflict (one) do update set used_bytes = excluded.used_bytes, bundles = excluded.bundles,
    withdrawn_bytes = excluded.withdrawn_bytes, reclaimable_bytes = excluded.reclaimable_bytes,
    free_bytes = excluded.free_bytes, measured_at = excluded.measured_at, seq = excluded.seq
where s.seq <= excluded.seq;

-- name: find_storage
select used_bytes, bundles, withdrawn_bytes, reclaimable_bytes, free_bytes, measured_at from storage;

-- name: list_versions
select version, scheme from release where app = :app;

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
