-- name: put_releases
insert into release as r (app, version, release_id, scheme, state, description, bundle_sha256, bundle_bytes,
                          upgrades_from, components, max_parallel_components, requires, rules, images, notices, signature,
                          origin, published_at, seq, at)
select n.app, n.version, n.release_id, n.scheme, 'available', n.description, n.bundle_sha256, n.bundle_bytes,
       n.upgrades_from::jsonb, n.components::jsonb, n.max_parallel, n.requires::jsonb, n.rules::jsonb, n.images::jsonb,
       n.notices::jsonb, n.signature::jsonb, n.origin::jsonb, n.published_at, n.seq, n.at
from unnest(:apps::text[], :versions::text[], :ids::text[], :schemes::text[], :descriptions::text[], :bundles::text[],
            :sizes::bigint[], :upgrades::text[], :components::text[], :parallel::int[], :requires::text[],
            :rules::text[], :images::text[], :notices::text[], :signatures::text[], :origins::text[], :published::timestamptz[], :seqs::bigint[], :ats::timestamptz[])
    as n (app, version, release_id, scheme, description, bundle_sha256, bundle_bytes, upgrades_from, components,
          max_parallel, requires, rules, images, notices, signature, origin, published_at, seq, at)
on conflict (app, version) do update set
    release_id = excluded.release_id, scheme = excluded.scheme, state = excluded.state,
    description = excluded.description, bundle_sha256 = excluded.bundle_sha256, bundle_bytes = excluded.bundle_bytes,
    upgrades_from = excluded.upgrades_from, components = excluded.components,
    max_parallel_components = excluded.max_parallel_components, requires = excluded.requires,
    rules = excluded.rules, images = excluded.images, notices = excluded.notices, signature = excluded.signature, deletion = null,
    origin = excluded.origin,
    published_at = excluded.published_at, seq = excluded.seq, at = excluded.at
where (r.seq, r.at) <= (excluded.seq, excluded.at);

-- name: withdraw_releases
update release r set state = 'withdrawn', seq = w.seq, at = w.at
from unnest(:apps::text[], :versions::text[], :seqs::bigint[], :ats::timestamptz[]) as w (app, version, seq, at)
where r.app = w.app and r.version = w.version and (r.seq, r.at) <= (w.seq, w.at);

-- name: delete_releases
delete from release r using unnest(:apps::text[], :versions::text[]) as d (app, version)
where r.app = d.app and r.version = d.version;

-- name: delete_preparations
delete from preparation p using unnest(:apps::text[], :versions::text[]) as d (app, version)
where p.app = d.app and p.version = d.version;

-- name: forget_prestaged
update prestaged p set releases = (
    select coalesce(jsonb_agg(one), '[]') from jsonb_array_elements(p.releases) as one
    where one ->> 'version' <> all (array(
        select d.version from unnest(:apps::text[], :versions::text[]) as d (app, version) where d.app = p.app
    ))
)
where p.app = any(:apps::text[]);

-- name: put_deletions
update release r set deletion = d.deletion::jsonb
from unnest(:apps::text[], :versions::text[], :deletions::text[]) as d (app, version, deletion)
where r.app = d.app and r.version = d.version;

-- name: sites_with
select site from deployment where app = :app and version = :version order by site limit 11;

-- name: put_preparations
insert into preparation as p (app, version, state, bytes, site_bytes, content, notes, cause, changed_at, seq)
select n.app, n.version, n.state, n.bytes, n.site_bytes, n.content::jsonb, n.notes::jsonb, n.cause::jsonb, n.changed_at, n.seq
from unnest(:apps::text[], :versions::text[], :states::text[], :sizes::bigint[], :site_sizes::bigint[],
            :contents::text[], :notes::text[], :causes::text[], :changed::timestamptz[], :seqs::bigint[])
    as n (app, version, state, bytes, site_bytes, content, notes, cause, changed_at, seq)
on conflict (app, version) do update set state = excluded.state, bytes = excluded.bytes, content = excluded.content,
    site_bytes = excluded.site_bytes, notes = excluded.notes, cause = excluded.cause, changed_at = excluded.changed_at, seq = excluded.seq
where p.seq <= excluded.seq;

-- name: find_content
select state, content, notes from preparation where app = :app and version = :version;

-- name: list_releases
select release_id, app, version, state, description, upgrades_from, bundle_sha256, bundle_bytes, components,
       max_parallel_components, requires, rules, images, notices, signature, origin, deletion, published_at,
       (select jsonb_build_object('state', p.state, 'bytes', p.bytes, 'site_bytes', p.site_bytes, 'items', jsonb_array_length(p.content),
                                  'notes', p.notes, 'cause', p.cause, 'changed_at', p.changed_at)
        from preparation p where p.app = release.app and p.version = release.version) as preparation
from release
where (published_at, app, version) < (:before_at, :before_app, :before_version)
  and (:app::text is null or app = :app)
  and (:version::text is null or version = :version)
  and (:state::text is null or state = :state)
order by published_at desc, app desc, version desc limit :limit;

-- name: list_versions
select version, scheme from release where app = :app;
