-- name: put_prestaged
-- What an earlier end of the same app on the same site told is older.
insert into prestaged as p (site, app, nth, releases, at)
select site, app, nth, releases::jsonb, at
from unnest(:sites::text[], :apps::text[], :counts::bigint[], :releases::text[], :ats::timestamptz[])
    as n (site, app, nth, releases, at)
order by site, app -- in one order in all replicas, or two would wait for each other
on conflict (site, app) do update set nth = excluded.nth, releases = excluded.releases, at = excluded.at
where p.nth <= excluded.nth;

-- name: forget_prestaged
-- Of sites that were removed: one of the same name that comes later may be another. A removal that is told again takes
-- nothing from that one.
delete from prestaged p using unnest(:sites::text[], :seqs::bigint[]) as g (site, seq)
where p.site = g.site and not exists (select from site s where s.name = g.site and s.seq > g.seq);

-- name: list_prestaged
select p.site, p.app, r.version, r.bundle_sha256, r.bytes, r.items, r.complete, r.platform, r.at
from prestaged p cross join lateral jsonb_to_recordset(p.releases) as r (
    version text, bundle_sha256 text, bytes bigint, items integer, complete boolean, platform text, at timestamptz
)
where p.site = :site and (p.app, r.version) > (:after_app::text, :after_version::text)
  and (:app::text is null or p.app = :app)
order by p.app, r.version limit :limit;
