-- name: put_audit
insert into audit (at, actor, role, action, target, about, command_id, result)
select :now, n.* from unnest(:actors::text[], :roles::text[], :actions::text[], :targets::text[], :abouts::text[],
                             :ids::text[], :results::text[]) as n;

-- name: list_audit
-- A strategy may be told by its id: people know it by its name.
select a.id, a.at, a.actor, a.role, a.action, a.target, coalesce(s.name, a.about) as about, a.command_id, a.result,
       c.body, c.faults
from audit a
left join command c on c.command_id = a.command_id
left join strategy s on s.strategy_id = a.about
where a.id < :before
  and (:actor::text is null or a.actor = :actor)
  and (:action::text is null or position(:action in a.action) > 0)
  and (:result::text is null or a.result = :result)
  and (:since::timestamptz is null or a.at >= :since)
  and (:until::timestamptz is null or a.at < :until)
  and (:about::text is null
       or position(lower(:about) in lower(concat_ws(' ', s.name, a.about, a.target))) > 0)
order by a.id desc limit :limit;

-- name: prune_audit
-- Those that came first; looked for among all, none would be found at the price of all.
delete from audit where id = any(array(
    select id from (select id, at from audit order by id limit :limit) first where at < :before
));
