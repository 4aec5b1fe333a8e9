-- name: assign_partitions
-- A new epoch for each partition; whoever owned it before can no longer commit.
-- The id of the topic stays that of the log that was read; whoever finds another one has lost that log.
insert into consumed as c (topic, part, next_offset, topic_id)
select * from unnest(:topics::text[], :parts::int[], :starts::bigint[], :topic_ids::uuid[])
order by 1, 2 -- two that take over the same partitions at one moment would wait for each other
on conflict (topic, part) do update set epoch = c.epoch + 1, topic_id = coalesce(c.topic_id, excluded.topic_id)
returning topic, part, next_offset, epoch, topic_id;

-- name: read_partitions
select c.topic, c.part, c.next_offset, c.epoch
from consumed c join unnest(:topics::text[], :parts::int[]) as p (topic, part) using (topic, part);

-- name: reset_partition
update consumed
set lost_at = clock_timestamp(), lost_from = next_offset, next_offset = :next_offset, topic_id = :topic_id
where topic = :topic and part = :part and epoch = :epoch
returning next_offset;

-- name: list_lost
select topic, part, lost_at, lost_from from consumed where lost_at > clock_timestamp() - :within::interval
order by topic, part;

-- name: advance_partitions
-- Compare-and-set: a row comes back for each partition that is still ours and stands where we think it does.
update consumed c set next_offset = n.next_offset
from unnest(:topics::text[], :parts::int[], :epochs::bigint[], :expected::bigint[], :next_offsets::bigint[])
    as n (topic, part, epoch, expected, next_offset)
where c.topic = n.topic and c.part = n.part and c.epoch = n.epoch and c.next_offset = n.expected
returning c.part;

-- name: find_answers
select command_id, fingerprint, answer_type, answer, answered_at from inbox where command_id = any(:command_ids::text[]);

-- name: keep_answers
insert into inbox (command_id, fingerprint, answer_type, answer, answered_at)
select *, :now::timestamptz from unnest(:ids::text[], :fingerprints::bytea[], :types::text[], :answers::text[]);

-- name: prune_inbox
delete from inbox where command_id = any(array(
    select command_id from inbox where answered_at < :before order by answered_at limit :limit for update skip locked
));

-- name: count_blocks
-- Of a table of this service.
select pg_relation_size(format('%I.%I', current_schema(), :table::text)::regclass)
    / current_setting('block_size')::bigint;

-- name: put_outbox
insert into outbox (shard, records, batch)
select shard, records, batch
from unnest(:shards::smallint[], :counts::int[], :batches::bytea[]) with ordinality as o (shard, records, batch, position)
order by position;

-- name: next_outbox
-- The first batch, and behind it no more than so many bytes; what goes beyond comes without its batch.
select id, records, case when sum(octet_length(batch)) over w <= :bytes or row_number() over w = 1 then batch end as batch
from (select id, records, batch from outbox where shard = any(:shards::smallint[]) order by id limit :limit) as o
window w as (order by id rows unbounded preceding) order by id;

-- name: delete_outbox
delete from outbox where id = any(:ids::bigint[]);

-- name: count_outbox
select coalesce(sum(records), 0) from outbox;

-- name: put_refused
insert into refused_record (topic, type, subject, bytes, reason, refused_at, batch)
select topic, type, subject, bytes, reason, :now::timestamptz, batch
from unnest(:topics::text[], :types::text[], :subjects::text[], :sizes::int[], :reasons::text[], :batches::bytea[])
    with ordinality as r (topic, type, subject, bytes, reason, batch, position)
order by position;

-- name: list_refused
select id, topic, type, subject, bytes, reason, refused_at from refused_record where id > :after order by id limit :limit;

-- name: take_refused
-- Off the table for good: to be sent again in the same transaction, or to be forgotten.
delete from refused_record where id = any(:ids::bigint[]) returning id, topic, bytes, batch;

-- name: count_refused
select count(*) from refused_record;

-- name: age_of_outbox
-- Seconds since the oldest batch was written; by the database's clock, which also wrote it.
select coalesce(extract(epoch from clock_timestamp()
    - (select written_at from outbox order by id limit 1)), 0)::float8;

-- name: try_shards
-- Each shard that we own from now on, until the connection ends.
select shard from unnest(:shards::int[]) as s (shard)
where pg_try_advisory_lock(hashtext(current_schema() || '.outbox'), shard);

-- name: end_silent_relays
-- A process that was stopped keeps its connection, and with it the shards, for ever. A relay that lives asks often.
select pg_terminate_backend(a.pid)
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.classid = (hashtext(current_schema() || '.outbox')::bigint & 4294967295)::oid
    and l.granted and a.usename = current_user and a.pid <> pg_backend_pid()
    and a.state_change < clock_timestamp() - :silent::interval;

-- name: outbox_channel
select current_schema() || '.outbox';

-- name: call
select pg_notify(:channel, '');

-- name: put_timers
insert into timer (kind, key, due_at, payload)
select * from unnest(:kinds::text[], :keys::text[], :dues::timestamptz[], :payloads::jsonb[])
on conflict (kind, key) do update set due_at = excluded.due_at, payload = excluded.payload;

-- name: drop_timers
delete from timer t using unnest(:kinds::text[], :keys::text[]) as d (kind, key)
where t.kind = d.kind and t.key = d.key;

-- name: due_timers
select kind, key, due_at, payload from timer where due_at <= clock_timestamp() and kind = any(:kinds::text[])
order by due_at limit :limit;

-- name: take_due_timers
-- Taken and handled in one transaction: a crash leaves them due, a second replica skips them. One of a kind that is not
-- known here is left for a replica of the version that set it.
with due as materialized (
    select kind, key from timer where due_at <= clock_timestamp() and kind = any(:kinds::text[])
        and (:keys::text[] is null or key = any(:keys::text[]))
    order by due_at limit :limit for update skip locked
)
delete from timer t using due where t.kind = due.kind and t.key = due.key and t.key = any(array(select key from due))
returning t.kind, t.key, t.due_at, t.payload;

-- name: seconds_to_next_timer
-- By the database's clock, which also says what is due: with ours ahead we would ask without a pause.
select extract(epoch from min(due_at) - clock_timestamp())::float8 from timer where kind = any(:kinds::text[]);

-- name: put_off_timer
update timer set due_at = clock_timestamp() + :wait::interval
where kind = :kind and key = :key and due_at = :due_at;

-- name: put_jobs
insert into job (queue, id, due_at, payload)
select :queue::text, * from unnest(:ids::text[], :dues::timestamptz[], :payloads::jsonb[])
on conflict (queue, id) do nothing;

-- name: claim_jobs
-- The database's clock decides, so that replicas whose clocks differ agree on who holds what.
-- Waiting ones that are due, and those whose lease ran out. The new token fences whoever held it before.
with waiting as materialized (
    select id from job where queue = :queue and owner is null and due_at <= clock_timestamp()
    order by due_at limit :limit for update skip locked
), lapsed as materialized (
    select id from job where queue = :queue and lease_until <= clock_timestamp()
    order by lease_until limit :limit for update skip locked
)
update job set owner = :owner, lease_until = clock_timestamp() + :lease::interval, attempt = attempt + 1,
    token = token + 1
where queue = :queue and id in (select id from waiting union all select id from lapsed)
returning id, token, attempt, payload;

-- name: extend_leases
-- Jobs come and go by the thousands. `any` looks each of a batch up by its key, also while PostgreSQL believes that
-- there are none and would compare each with every one; so below, and for the timers.
update job j set lease_until = clock_timestamp() + :lease::interval
from unnest(:ids::text[], :tokens::bigint[]) as m (id, token)
where j.queue = :queue and j.id = any(:ids::text[]) and j.id = m.id and j.token = m.token and j.owner = :owner
returning j.id;

-- name: finish_jobs
delete from job j using unnest(:ids::text[], :tokens::bigint[]) as m (id, token)
where j.queue = :queue and j.id = any(:ids::text[]) and j.id = m.id and j.token = m.token
returning j.id;

-- name: return_jobs
-- Back to the queue, for later: a retry with back-off, or a worker that stops.
update job j set owner = null, lease_until = null, due_at = m.due_at
from unnest(:ids::text[], :tokens::bigint[], :dues::timestamptz[]) as m (id, token, due_at)
where j.queue = :queue and j.id = any(:ids::text[]) and j.id = m.id and j.token = m.token
returning j.id;

-- name: count_jobs
select queue, count(*) filter (where owner is null) as waiting, count(*) filter (where owner is not null) as claimed
from job group by queue;

-- name: begin_run
-- A run of the same replica that is still open ended without a word, or with the cause that its file tells.
with ended as (
    update process_run set ended_at = clock_timestamp(), cause = :cause where instance = :instance and ended_at is null
), forgotten as (
    delete from process_run where ended_at < clock_timestamp() - interval '1 day'
), acquitted as (
    delete from suspect s using consumed c
    where s.topic = c.topic and s.part = c.part and s.next_offset <= c.next_offset and s.put_aside_at is null
), replayed as (
    delete from suspect where put_aside_at < clock_timestamp() - interval '7 days'
)
insert into process_run (instance) values (:instance) returning id;

-- name: end_run
update process_run set ended_at = clock_timestamp(), cause = :cause where id = :id and ended_at is null;

-- name: see_run
update process_run set seen_at = clock_timestamp(), member = :member where id = :id;

-- name: find_members
-- Members of our consumer group by their own words; a replica that is gone is known until its session has ended.
select member from process_run where seen_at > clock_timestamp() - interval '1 minute' and member <> '';

-- name: find_ends
select ended_at, cause from process_run
where instance = :instance and cause <> '' and ended_at > clock_timestamp() - :within::interval order by ended_at;

-- name: suspect_records
-- In work at the end of a process; `alone` is 1 where it was one record and nothing else.
insert into suspect as s (topic, part, first_offset, next_offset, alone)
select *, :alone::int from unnest(:topics::text[], :parts::int[], :firsts::bigint[], :nexts::bigint[])
on conflict (topic, part, first_offset, next_offset) do update set alone = s.alone + excluded.alone;

-- name: find_suspects
select topic, part, first_offset, next_offset, alone from suspect
where put_aside_at is null and (topic, part) in (select * from unnest(:topics::text[], :parts::int[]));

-- name: acquit
-- Those that are behind us did no harm.
delete from suspect where topic = :topic and part = :part and next_offset <= :position and put_aside_at is null;

-- name: put_aside
update suspect set put_aside_at = clock_timestamp()
where topic = :topic and part = :part and first_offset = :position and next_offset = :position + 1;

-- name: find_put_aside
select topic, part, first_offset, alone, put_aside_at from suspect
where put_aside_at > clock_timestamp() - :within::interval order by put_aside_at;

-- name: put_gone
insert into gone (subject) select unnest(:subjects::text[]) on conflict (subject) do nothing returning subject;

-- name: find_gone
select subject from gone where subject = any(:subjects::text[]);

-- name: prune_gone
delete from gone where subject in (select subject from gone where gone_at < :before order by gone_at limit :limit);
