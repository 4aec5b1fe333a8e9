-- name: lock_room
-- Uploads are counted and added one after the other, so that there are never more than allowed.
select pg_advisory_xact_lock(hashtext(current_schema() || '.uploads'));

-- name: count_open
select count(*) from upload where state = 'open' and expires_at > :now::timestamptz;

-- name: add_upload
insert into upload (id, owner, bytes, file_name, sha256, app, version, expires_at)
values (:id, :owner, :bytes, :file_name, :sha256::text, :app::text, :version::text, :expires_at::timestamptz);

-- name: find_upload
select id, owner, bytes, file_name, sha256, app, version, state, expires_at
from upload where id = :id and owner = :owner and expires_at > :now::timestamptz;

-- name: take_up
-- One client writes at a time; who is silent for too long has lost it to the next one.
update upload set writer = :writer, writer_until = :until::timestamptz
where id = :id and state = 'open' and (writer is null or writer = :writer or writer_until < :now::timestamptz)
returning true;

-- name: write_on
-- Who has lost it does not get it back so: others may have gone on from where he thinks that he is.
update upload set writer_until = :until::timestamptz where id = :id and state = 'open' and writer = :writer returning true;

-- name: lay_down
update upload set writer = null, writer_until = null where id = :id and writer = :writer;

-- name: complete
update upload set state = 'complete', sha256 = :sha256, writer = null, writer_until = null
where id = :id and state = 'open';

-- name: delete_upload
delete from upload where id = :id;

-- name: prune
delete from upload where id in (
    select id from upload where expires_at < :before::timestamptz limit :limit
)
returning id;
