-- name: put_secrets
insert into secret as s (name, version, set_at, set_by, removed, seq)
select name, version, at, by, false, seq
from unnest(:names::text[], :versions::bigint[], :ats::timestamptz[], :bys::text[], :seqs::bigint[])
    as n (name, version, at, by, seq)
on conflict (name) do update set version = excluded.version, set_at = excluded.set_at, set_by = excluded.set_by,
    removed = false, seq = excluded.seq
where s.seq <= excluded.seq;

-- name: remove_secrets
-- Also one that was never heard of: the topic keeps the last word alone, and may be read before it is tidied up.
insert into secret as s (name, version, set_at, set_by, removed, seq)
select name, 1, at, '', true, seq from unnest(:names::text[], :seqs::bigint[], :ats::timestamptz[]) as n (name, seq, at)
on conflict (name) do update set removed = true, seq = excluded.seq where s.seq <= excluded.seq;

-- name: list_secrets
select s.name, s.version, s.set_at, s.set_by,
       (select count(*) from site where secrets <> '{}' and secrets @> array[s.name] and not removed) as sites
from secret s
where not s.removed and s.name > :after and (:name::text is null or s.name = :name)
order by s.name limit :limit;

-- name: known_secrets
select name from secret where name = any(:names::text[]) and not removed;

-- name: secret_versions
select name, version from secret where name = any(:names::text[]) and not removed;

-- name: put_sealing_key
insert into sealing_key as k (owner, public_key, at) values (:owner, :public_key, :at)
on conflict (owner) do update set public_key = excluded.public_key, at = excluded.at where k.at <= excluded.at;

-- name: find_sealing_key
select public_key from sealing_key where owner = :owner;
