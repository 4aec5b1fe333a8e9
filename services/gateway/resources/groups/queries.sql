-- name: put_groups
insert into site_group as g (name, description, apply_type, max_parallel, removed, seq, at)
select n.name, n.description, n.apply_type, n.max_parallel, false, n.seq, n.at
from unnest(:names::text[], :descriptions::text[], :apply_types::text[], :max_parallels::text[], :seqs::bigint[],
            :ats::timestamptz[]) as n (name, description, apply_type, max_parallel, seq, at)
on conflict (name) do update set
    description = excluded.description, apply_type = excluded.apply_type, max_parallel = excluded.max_parallel,
    removed = false, seq = excluded.seq, at = excluded.at
where (g.seq, g.at) <= (excluded.seq, excluded.at);

-- name: remove_groups
update site_group g set removed = true, seq = r.seq, at = r.at
from unnest(:names::text[], :seqs::bigint[], :ats::timestamptz[]) as r (name, seq, at)
where g.name = r.name and (g.seq, g.at) <= (r.seq, r.at);

-- name: known_groups
select name from site_group where name = any(:names::text[]) and not removed;

-- name: list_groups
select g.name, g.description, g.apply_type, g.max_parallel,
       (select count(*) from site where group_name = g.name and not removed) as sites
from site_group g
where not g.removed and g.name > :after and (:name::text is null or g.name = :name)
order by g.name limit :limit;
