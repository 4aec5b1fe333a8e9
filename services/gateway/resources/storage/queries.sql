-- name: put_storage
insert into storage as s (one, used_bytes, bundles, prepared_bytes, withdrawn_bytes, reclaimable_bytes, free_bytes,
    measured_at, seq)
values (true, :used_bytes, :bundles, :prepared_bytes, :withdrawn_bytes, :reclaimable_bytes, :free_bytes, :measured_at,
    :seq)
on conflict (one) do update set used_bytes = excluded.used_bytes, bundles = excluded.bundles,
    prepared_bytes = excluded.prepared_bytes,
    withdrawn_bytes = excluded.withdrawn_bytes, reclaimable_bytes = excluded.reclaimable_bytes,
    free_bytes = excluded.free_bytes, measured_at = excluded.measured_at, seq = excluded.seq
where s.seq <= excluded.seq;

-- name: find_storage
select used_bytes, bundles, prepared_bytes, withdrawn_bytes, reclaimable_bytes, free_bytes, measured_at from storage;
