-- name: put_key
insert into signing_key (app, name, public_key, expires_at, set_at, set_by)
values (:app, :name, :public_key, :expires_at::timestamptz, :set_at::timestamptz, :set_by)
on conflict (app, name) do update set public_key = excluded.public_key, expires_at = excluded.expires_at,
    set_at = excluded.set_at, set_by = excluded.set_by;

-- name: remove_key
delete from signing_key where app = :app and name = :name;

-- name: list_keys
select app, name, public_key, expires_at, set_at, set_by from signing_key where app = :app order by name;
