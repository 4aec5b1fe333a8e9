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
), audited as (
    update audit set result = answered.state from answered
    where audit.command_id = answered.command_id and audit.result = 'sent'
)
select * from answered;

-- name: close_command
-- A command that the gateway carried out itself.
update command set state = 'accepted', result = :result, answered_at = :now where command_id = :command_id;

-- name: prune_commands
delete from command where command_id = any(array(
    select command_id from command where sent_at < :before order by sent_at limit :limit for update skip locked
));
