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

-- name: delete_bundles
delete from bundle where bundle_sha256 = any(:bundles::text[]) and state = 'available';

-- name: find_bundle
select bundle_sha256, file_name, state, app, version, faults from bundle where bundle_sha256 = :bundle;
