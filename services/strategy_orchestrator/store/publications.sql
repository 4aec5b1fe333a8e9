-- name: await_publication
-- Whether it has ended. Whoever tells its end and whoever begins to wait for it meet at this row: one of them waits for the
-- other's commit, and sees what that has written.
insert into publication (id, at) values (:publication, :now)
on conflict (id) do update set id = excluded.id
returning state is not null;

-- name: put_publications
-- A publication ends once: a repeated event has no effect.
insert into publication as p (id, state, app, version, faults, at)
select publication, state, app, version, coalesce(faults, '[]'), :now::timestamptz
from jsonb_to_recordset(:settled::jsonb) as n (publication text, state text, app text, version text, faults jsonb)
order by publication
on conflict (id) do update set state = excluded.state, app = excluded.app, version = excluded.version,
    faults = excluded.faults, at = excluded.at
where p.state is null;

-- name: waiting_for
select id from strategy where publication = any(:publications::text[]) and state = 'waiting' and deleted_at is null
order by id;

-- name: settled
select p.id, p.state, p.app, p.version, p.faults, p.at,
    exists (select from release r where r.app = p.app and r.version = p.version) as known
from publication p where p.id = any(:publications::text[]) and p.state is not null;

-- name: plan_strategy
update strategy set state = 'ready', begins = '', version = :version, spec = :spec, left_out = :left_out, why_code = :why_code,
    why_message = :why_message
where id = :id and state = 'waiting';

-- name: prune_publications
-- So long ago that no command which waits for one can still come.
delete from publication where ctid = any(array(select ctid from publication where at < :before limit :limit));
