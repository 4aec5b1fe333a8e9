-- name: add_publications
insert into publication (id, bundle_sha256, app, version, correlation_id, actor, asked_at)
select n.id, n.bundle_sha256, nullif(n.app, ''), nullif(n.version, ''), n.correlation_id, n.actor, :now::timestamptz
from unnest(:ids::text[], :digests::text[], :apps::text[], :versions::text[], :correlations::text[], :actors::text[])
    as n (id, bundle_sha256, app, version, correlation_id, actor);

-- name: end_publications
-- Each ends once: whoever removes its row tells it.
delete from publication where bundle_sha256 = :sha256
returning id, app, version, correlation_id, actor;

-- name: add_imports
insert into publication (id, source, wanted_sha256, app, version, file_name, correlation_id, actor, asked_at)
select n.id, n.source, nullif(n.sha256, ''), nullif(n.app, ''), nullif(n.version, ''), n.file_name, n.correlation_id,
    n.actor, n.asked_at
from unnest(:ids::text[], :sources::text[], :digests::text[], :apps::text[], :versions::text[], :file_names::text[],
            :correlations::text[], :actors::text[], :asked::timestamptz[])
    as n (id, source, sha256, app, version, file_name, correlation_id, actor, asked_at);

-- name: find_import
select source, asked_at, wanted_sha256 as sha256, app, version, file_name, resolved, validator, correlation_id, actor
from publication where id = :id and source is not null;

-- name: note_answer
update publication set validator = :validator::text,
    file_name = case when file_name = '' then :file_name else file_name end
where id = :id;

-- name: note_resolved
update publication set resolved = coalesce(resolved, :resolved) where id = :id;

-- name: note_origin
-- Of one that came by itself meanwhile, too, nobody could say any more which of the two it is.
update bundle set origin = coalesce(origin, :origin::jsonb) where sha256 = :sha256 and state = 'validating';

-- name: waiting
select id from publication where bundle_sha256 = :sha256;

-- name: went_on
update publication set trouble_since = null where id = :id and trouble_since is not null;

-- name: note_trouble
update publication set trouble_since = coalesce(trouble_since, :now::timestamptz) where id = :id
returning trouble_since;

-- name: end_import
delete from publication where id = :id and source is not null
returning source, asked_at, wanted_sha256 as sha256, app, version, file_name, resolved, validator, correlation_id,
    actor;
