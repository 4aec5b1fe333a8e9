-- name: put_key
insert into signing_key as k (app, name, public_key, expires_at, nth)
values (:app, :name, :public_key, :expires_at::timestamptz, 1)
on conflict (app, name) do update set public_key = excluded.public_key, expires_at = excluded.expires_at, nth = k.nth + 1;

-- name: remove_key
delete from signing_key where app = :app and name = :name returning true;

-- name: keys_of
select name, public_key, expires_at from signing_key where app = :app order by name;
