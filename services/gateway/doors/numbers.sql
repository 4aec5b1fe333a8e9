-- name: find_numbers
select key, number, given_at from door_number where door = :door and kind = :kind and key = any(:keys::text[]);

-- name: find_key
select key from door_number where door = :door and kind = :kind and number = :number;

-- name: lock_numbers
select true from (select pg_advisory_xact_lock(hashtext('door_number'), hashtext(:door::text || '/' || :kind::text))) as held;

-- name: give_numbers
insert into door_number (door, kind, key, number, given_at)
select :door, :kind, k.key, l.last + k.nth, :now
from unnest(:keys::text[]) with ordinality as k (key, nth)
cross join (
    select greatest(coalesce(max(number), 0), :first::bigint - 1) as last from door_number
    where door = :door and kind = :kind
) l
order by k.nth
on conflict (door, kind, key) do nothing;
