-- name: lock_tokens
-- One at a time: the first token is made once, the last admin's is never deleted.
select pg_advisory_xact_lock(hashtext(current_schema() || '.tokens'));

-- name: put_token
insert into token (id, name, role, hash, created_by, created_at)
values (:id, :name, :role, :hash, :created_by, :now)
on conflict (name) do nothing returning id;

-- name: find_token
select id, name, role, hash from token where id = :id;

-- name: use_token
-- Once a minute at most, whatever the number of requests.
update token set last_used_at = :now::timestamptz
where id = :id and (last_used_at is null or last_used_at < :now::timestamptz - interval '1 minute');

-- name: count_tokens
select count(*) from token;

-- name: count_other_admins
select count(*) from token where role = 'admin' and id != :id;

-- name: delete_token
delete from token where id = :id;

-- name: list_tokens
select id, name, role, created_by, created_at, last_used_at from token where name > :after order by name limit :limit;
