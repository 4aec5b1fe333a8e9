-- name: lock_preparations
-- Their bundles are locked by then, in the order of their keys.
select bundle_sha256, state, on_behalf, cause, settled_at from preparation
where bundle_sha256 = any(:digests::text[]) order by bundle_sha256 for update;

-- name: ask_for_preparations
-- What is asked for anew begins anew; of what is under way only those who ask change. Names hold no spaces.
insert into preparation as p (bundle_sha256, state, on_behalf, asked_at)
select bundle_sha256, 'preparing', string_to_array(on_behalf, ' '), :now::timestamptz
from unnest(:digests::text[], :on_behalf::text[]) as n (bundle_sha256, on_behalf)
on conflict (bundle_sha256) do update set on_behalf = excluded.on_behalf, state = 'preparing', cause = null,
    settled_at = null, asked_at = case p.state when 'failed' then excluded.asked_at else p.asked_at end
where p.state <> 'prepared';

-- name: count_tellings
-- The next numbers of what is told of these bundles.
update bundle set sequence = sequence + 1 where sha256 = any(:digests::text[]) returning sha256, sequence;

-- name: hold_blobs
-- Whether the preparation is still wanted; only then the blobs are its own. Those who free wait for it, or it for them.
with wanted as (select from preparation where bundle_sha256 = :bundle_sha256 and state = 'preparing' for share),
held as (
    insert into prepared_blob (bundle_sha256, sha256, bytes)
    select :bundle_sha256::text, sha256, bytes
    from unnest(:digests::text[], :sizes::bigint[]) as b (sha256, bytes) where exists (select from wanted)
    on conflict do nothing
)
select exists (select from wanted);

-- name: went_on
update preparation set trouble_since = null where bundle_sha256 = :bundle_sha256 and trouble_since is not null;

-- name: note_trouble
-- Since when it lasts, this time included; null = nobody wants it any more.
update preparation set trouble_since = coalesce(trouble_since, :now::timestamptz)
where bundle_sha256 = :bundle_sha256 and state = 'preparing' returning trouble_since;

-- name: settle_prepared
update preparation set state = 'prepared', settled_at = :now::timestamptz, trouble_since = null, notes = :notes::jsonb,
    bytes = (select coalesce(sum(bytes), 0) from prepared_blob where bundle_sha256 = :bundle_sha256
             and sha256 = any(:digests::text[]))
where bundle_sha256 = :bundle_sha256 and state = 'preparing' returning bytes;

-- name: let_go
-- What an earlier try held, and this one did not need.
delete from prepared_blob where bundle_sha256 = :bundle_sha256 and sha256 <> all(:digests::text[]);

-- name: list_items
insert into prepared_item (bundle_sha256, position, component, kind, name, sha256, bytes, platform, index_sha256)
select :bundle_sha256::text, position, component, kind, name, sha256, bytes, platform, index_sha256
from unnest(:components::text[], :kinds::text[], :names::text[], :digests::text[], :sizes::bigint[],
            :platforms::text[], :indexes::text[])
    with ordinality as i (component, kind, name, sha256, bytes, platform, index_sha256, position);

-- name: read_prepared
select bytes, notes, settled_at as prepared_at from preparation where bundle_sha256 = :bundle_sha256;

-- name: read_items
select component, kind, name, sha256, bytes, platform, index_sha256 as index from prepared_item
where bundle_sha256 = :bundle_sha256 order by position;

-- name: settle_failed
-- Of those that are under way; who asked is told with it.
update preparation set state = 'failed', settled_at = :now::timestamptz, trouble_since = null, cause = :cause::jsonb
where bundle_sha256 = any(:digests::text[]) and state = 'preparing' returning bundle_sha256, on_behalf;
