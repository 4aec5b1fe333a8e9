-- name: lock_pull
select pg_try_advisory_lock(hashtextextended(current_schema() || ' pull ' || :key::text, 0));

-- name: unlock_pull
select pg_advisory_unlock(hashtextextended(current_schema() || ' pull ' || :key::text, 0));

-- name: keep_pulls
-- A session that says nothing is ended.
select true;
