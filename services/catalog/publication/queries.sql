-- name: add_publications
insert into publication (id, bundle_sha256, app, version, correlation_id, actor, asked_at)
select n.id, n.bundle_sha256, nullif(n.app, ''), nullif(n.version, ''), n.correlation_id, n.actor, :now::timestamptz
from unnest(:ids::text[], :digests::text[], :apps::text[], :versions::text[], :correlations::text[], :actors::text[])
    as n (id, bundle_sha256, app, version, correlation_id, actor);

-- name: end_publications
-- Each ends once: whoever removes its row tells it.
delete from publication where bundle_sha256 = :sha256
returning id, app, version, correlation_id, actor;
