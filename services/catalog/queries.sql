-- name: lock_store_shared
-- Held by whoever publishes, and exclusively by whoever frees: what is found in the blob store stays there meanwhile.
select pg_advisory_xact_lock_shared(hashtext(current_schema() || '.blobs'));

-- name: lock_store
select pg_advisory_xact_lock(hashtext(current_schema() || '.blobs'));

-- name: lock_bundles
-- Locked in the order of the key, so that two transactions never wait for each other.
select from bundle where sha256 = any(:digests::text[]) order by sha256 for update;

-- name: find_bundles
-- Asked once they are locked: beside a row that was waited for, a join shows what it was joined with before.
select b.sha256, b.state, r.id as release_id, r.app, r.version, r.withdrawn_reason
from bundle b left join release r on r.bundle_sha256 = b.sha256
where b.sha256 = any(:digests::text[]);

-- name: receive_bundles
-- New ones, and rejected ones that are tried again; any other stays as it is.
insert into bundle as b (sha256, bytes, file_name, state, received_at, stored_since)
select sha256, bytes, file_name, 'validating', :now::timestamptz, stored_since
from unnest(:digests::text[], :sizes::bigint[], :file_names::text[], :stored::timestamptz[])
    as n (sha256, bytes, file_name, stored_since)
on conflict (sha256) do update set state = 'validating', faults = '[]', settled_at = null, freed_at = null,
    file_name = excluded.file_name, received_at = excluded.received_at, stored_since = excluded.stored_since,
    origin = null
where b.state in ('rejected', 'deleted');

-- name: reject_bundle
update bundle set state = 'rejected', faults = :faults::jsonb, settled_at = :now::timestamptz, sequence = sequence + 1
where sha256 = :sha256 and state = 'validating'
returning sequence, origin;

-- name: accept_bundle
update bundle set state = 'available', settled_at = :now::timestamptz, sequence = sequence + 1
where sha256 = :sha256 and state = 'validating'
returning sequence, origin;

-- name: hold_app
-- Creates the app or locks it: releases of one app are settled one after the other.
insert into app (name, scheme) values (:app, :scheme)
on conflict (name) do update set name = excluded.name
returning scheme;

-- name: find_twin
select version from release where app = :app and canonical = :canonical;

-- name: add_release
insert into release (id, app, version, canonical, description, bundle_sha256, upgrades_from_any,
    max_parallel_components, rules, images, notices, published_at)
values (:id, :app, :version, :canonical, :description, :sha256, :upgrades_from_any,
    :max_parallel::integer, :rules::jsonb, :images::text[], :notices::text[], :now::timestamptz);

-- name: add_components
-- Names hold no spaces, so lists of them travel as words.
insert into component (release_id, position, name, driver, after, enabled, timeout_seconds, files_sha256, spec)
select :release_id::text, position, name, driver, string_to_array(after, ' '), enabled, timeout_seconds, files_sha256, spec
from unnest(:names::text[], :drivers::text[], :after::text[], :enabled::boolean[], :timeouts::integer[],
        :files::text[], :specs::jsonb[])
    with ordinality as c (name, driver, after, enabled, timeout_seconds, files_sha256, spec, position);

-- name: add_edges
insert into upgrade_edge (release_id, position, from_range)
select :release_id::text, position, from_range
from unnest(:ranges::text[]) with ordinality as e (from_range, position);

-- name: lock_dependencies
-- Two that need each other are settled one after the other, so that the later one sees the earlier.
select pg_advisory_xact_lock(hashtext(current_schema() || '.dependencies'));

-- name: available_releases
select r.app, r.version, a.scheme, r.rules -> 'depends_on' as depends_on
from release r join app a on a.name = r.app join bundle b on b.sha256 = r.bundle_sha256
where b.state = 'available';

-- name: list_versions
select r.app, a.scheme, r.version from release r join app a on a.name = r.app where r.app = any(:apps::text[]);

-- name: lock_releases
select r.id, r.app, r.version, b.state, b.sequence, b.sha256
from release r join bundle b on b.sha256 = r.bundle_sha256
join unnest(:apps::text[], :versions::text[]) as w (app, version) on w.app = r.app and w.version = r.version
order by b.sha256 for update of b;

-- name: lock_release_of
select r.id, r.app, r.version, b.state, b.sequence, b.sha256
from release r join bundle b on b.sha256 = r.bundle_sha256 where b.sha256 = :sha256 for update of b;

-- name: withdraw_bundles
update bundle b set state = 'withdrawn', settled_at = :now::timestamptz, sequence = b.sequence + 1
from release r where r.bundle_sha256 = b.sha256 and r.id = any(:ids::text[]) and b.state = 'available'
returning r.id;

-- name: note_unneeded
update bundle set unneeded_at = :now::timestamptz
where sha256 = any(:digests::text[]) and state = 'withdrawn' and unneeded_at is null;

-- name: contents_of
-- What is known of these digests as far as their content is concerned: as bundles, and as what was prepared of some.
select d.sha256, b.state, b.settled_at, b.stored_since, b.unneeded_at, coalesce(h.held, false) as held, h.let_go_at,
    h.held is not null as prepared
from unnest(:digests::text[]) as d (sha256)
left join bundle b on b.sha256 = d.sha256
left join lateral (
    select bool_or(held) as held, max(let_go_at) as let_go_at from blob_holder where sha256 = d.sha256
) h on true;

-- name: lock_bundle
select from bundle where sha256 = :sha256 for update;

-- name: mark_freed
update bundle set freed_at = :now::timestamptz where sha256 = :sha256 and state in ('rejected', 'withdrawn', 'deleted');

-- name: forget_blob
-- It is gone; what a release still holds cannot be forgotten, which would let it be freed.
delete from prepared_blob p using blob_holder h
where p.sha256 = :sha256 and h.bundle_sha256 = p.bundle_sha256 and h.sha256 = p.sha256 and not h.held;

-- name: blobs_prepared_of
select sha256 from prepared_blob where bundle_sha256 = :bundle_sha256 and sha256 <> :bundle_sha256;

-- name: put_hosts
insert into host as h (name, facts, heard_at)
select * from unnest(:names::text[], :facts::jsonb[], :heard::timestamptz[])
on conflict (name) do update set facts = excluded.facts, heard_at = excluded.heard_at
where h.heard_at <= excluded.heard_at;

-- name: hosts_heard
-- Those that speak; when all are silent, all that ever did.
select name, facts from host
where heard_at > :since or not exists (select from host where heard_at > :since)
order by name;

-- name: tell_storage
-- Only what differs from what was said last: replicas that measure the same say it once.
update storage set told = :told::jsonb, sequence = sequence + 1 where told is distinct from :told::jsonb
returning sequence;

-- name: note_reasons
update release r set withdrawn_reason = w.reason
from unnest(:ids::text[], :reasons::text[]) as w (id, reason) where r.id = w.id;
