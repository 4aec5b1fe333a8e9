-- name: put_commands
-- A row comes back only for an id that is new; a transaction that holds the same id is waited for, in one order.
insert into command (command_id, type, actor, fingerprint, body, sent_at)
select n.command_id, n.type, n.actor, n.fingerprint, n.body, :now
from unnest(:ids::text[], :types::text[], :actors::text[], :fingerprints::bytea[], :bodies::jsonb[])
    as n (command_id, type, actor, fingerprint, body)
order by n.command_id
on conflict (command_id) do nothing returning command_id;

-- name: find_commands
select command_id, fingerprint, state, result, faults from command
where command_id = any(:ids) and (not :answered::bool or state <> 'sent');

-- name: find_command
select command_id, type, actor, fingerprint, state, result, faults, sent_at, answered_at
from command where command_id = :command_id;

-- name: answer_commands
-- Commands of others have no row here, a repeated answer finds none that is still `sent`.
with answered as (
    update command c set state = a.state, result = a.result, faults = a.faults::jsonb, answered_at = :now
    from unnest(:ids::text[], :types::text[], :states::text[], :results::jsonb[], :faults::text[])
        as a (command_id, type, state, result, faults)
    where c.command_id = a.command_id and c.type = a.type and c.state = 'sent'
    returning c.command_id, c.fingerprint, c.type, c.state, c.body, c.result, c.faults, c.sent_at
), noted as (
    update audit set result = answered.state from answered
    where audit.command_id = answered.command_id and audit.result = 'sent'
)
select * from answered;

-- name: close_command
-- A command that the gateway carried out itself.
update command set state = 'accepted', result = :result, answered_at = :now where command_id = :command_id;

-- name: prune_commands
delete from command where sent_at < :before;

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
