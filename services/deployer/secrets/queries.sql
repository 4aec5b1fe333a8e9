-- name: set_secret
-- Also one that was removed: its versions go on, so that no two values ever have the same.
insert into secret as s (name, sealed, version, sequence, changed_at, changed_by)
values (:name, :sealed, 1, 1, :now::timestamptz, :by)
on conflict (name) do update set sealed = excluded.sealed, version = s.version + 1, sequence = s.sequence + 1,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by
returning version, sequence;

-- name: remove_secret
update secret set sealed = null, sequence = sequence + 1, changed_at = :now::timestamptz, changed_by = :by
where name = :name and sealed is not null
returning sequence;

-- name: known_secrets
select name from secret where name = any(:names::text[]) and sealed is not null;

-- name: find_sealed
select name, sealed, version, changed_at from secret where name = any(:names::text[]) and sealed is not null;

-- name: secret_versions
select name, version, changed_at from secret where name = any(:names::text[]);

-- name: sites_using
-- The first sites that name a secret, and in each row how many there are in all.
select name, count(*) over () as total from site
where secrets <> '{}' and secrets @> array[:name::text] and not gone
order by name limit :limit;
