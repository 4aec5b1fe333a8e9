-- name: ask
-- Asked again while it is under way, it is the same deletion.
insert into deletion (bundle_sha256, id, reason, correlation_id, actor)
values (:sha256, :id, :reason, :correlation, :actor)
on conflict (bundle_sha256) do nothing
returning true;

-- name: bundle_of
select bundle_sha256 from deletion where id = :id;

-- name: end
delete from deletion where id = :id
returning bundle_sha256, reason, correlation_id, actor;

-- name: delete_bundle
-- It counts on by what is told: one that was available is withdrawn first.
update bundle set state = 'deleted', settled_at = :now::timestamptz, unneeded_at = null,
    sequence = sequence + case state when 'available' then 2 else 1 end
where sha256 = :sha256 and state in ('available', 'withdrawn')
returning sequence;

-- name: lock_app
-- Before anything is looked for: a release of it that is being settled just now is seen then, or comes after.
select from app where name = :app for update;

-- name: delete_release
with parts as (
    delete from component where release_id = :id
), edges as (
    delete from upgrade_edge where release_id = :id
)
delete from release where id = :id;

-- name: delete_app
delete from app a where a.name = :app and not exists (select from release r where r.app = a.name)
returning true;

-- name: forget_items
delete from prepared_item where bundle_sha256 = :sha256;

-- name: forget_preparation
-- What it had brought is held until the bundle is gone from the store; whoever publishes it again has it prepared anew.
update preparation set state = 'failed', cause = :cause::jsonb, on_behalf = '{}', bytes = null, notes = '[]',
    trouble_since = null, settled_at = :now::timestamptz
where bundle_sha256 = :sha256;
