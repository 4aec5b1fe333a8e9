-- name: hear
-- The events that were not told of before.
insert into heard (event_id, heard_at) select distinct unnest(:event_ids::text[]), :now::timestamptz
on conflict do nothing returning event_id;

-- name: begin_quiet
-- The keys that may speak now; from now on they are quiet.
insert into quiet (key, until) select distinct unnest(:keys::text[]), :until::timestamptz
on conflict (key) do update set until = excluded.until where quiet.until <= :now
returning key;

-- name: end_quiet!
delete from quiet where key = any(:keys::text[]);

-- name: learn_names!
insert into strategy_name (strategy_id, name, heard_at)
select distinct on (strategy_id) strategy_id, name, :now::timestamptz
from unnest(:ids::text[], :names::text[]) as n (strategy_id, name)
on conflict (strategy_id) do update set name = excluded.name, heard_at = excluded.heard_at;

-- name: find_names
select strategy_id, name from strategy_name where strategy_id = any(:ids::text[]);

-- name: put_notifications
insert into notification (topic, message, about, link, count, failures, raised_at)
select topic, message, about, link, count, failures::jsonb, :now::timestamptz
from unnest(:topics::text[], :messages::text[], :abouts::text[], :links::text[], :counts::int[], :failures::text[])
    with ordinality as n (topic, message, about, link, count, failures, position)
order by position
returning id, 'msg_' || message_id as message_id;

-- name: put_deliveries
-- One for each notification and active subscription that wants its topic.
insert into delivery (id, notification_id, subscription, state, created_at)
select n.id || ':' || s.name, n.id, s.name, 'waiting', :now::timestamptz
from notification n join subscription s on n.topic = any(s.topics)
where n.id = any(:ids::bigint[]) and s.state = 'active'
returning id, subscription;

-- name: put_test!
-- A test call waits for nobody, and goes to a dead subscription too.
insert into delivery (id, subscription, state, created_at) values (:id, :name, 'queued', :now::timestamptz);

-- name: tell_deliveries
-- Those of webhooks as they stand now; the log's are nobody's business.
update delivery d set nth = d.nth + 1
from delivery e
join subscription s on s.name = e.subscription and s.channel = 'webhook'
left join notification n on n.id = e.notification_id
where e.id = any(:ids::text[]) and d.id = e.id
returning d.subscription, d.id as delivery_id, d.nth, d.notification_id, coalesce(n.topic, 'done') as topic,
    left(coalesce(n.message, 'a test call'), 300) as message, d.state, d.tries, d.status, d.milliseconds, d.reason,
    case when d.state = 'waiting' then d.due_at end as next_try_at;

-- name: lock_subscriptions
-- Always in the order of the names, so that two transactions never wait for each other. Not `for update`: that would
-- wait for whoever just put deliveries (their foreign key shares the row), who may wait here for us.
select name from subscription where :names::text[] is null or name = any(:names::text[])
order by name for no key update;

-- name: admit_deliveries
-- Fill the lanes: of each subscription so many deliveries are with the workers, the oldest first.
-- The rows are locked before, so that two replicas do not fill the same place.
with lane as (
    select s.name, :limit::int - count(d.id) as free
    from subscription s left join delivery d on d.subscription = s.name and d.state = 'queued'
    where s.name = any(:names::text[]) and s.state = 'active'
        and (s.quiet_until is null or s.quiet_until <= :now::timestamptz)
    group by s.name
), next as (
    select w.id from lane cross join lateral (
        select d.id from delivery d where d.subscription = lane.name and d.state = 'waiting'
            and (d.due_at is null or d.due_at <= :now::timestamptz)
        order by d.notification_id limit greatest(lane.free, 0)
    ) w
)
update delivery d set state = 'queued' from next where d.id = next.id and d.state = 'waiting' returning d.id;

-- name: next_due
-- When the next delivery of each subscription may go that may not go yet. Those that wait for a place only are let in
-- by whoever leaves it.
select s.name, greatest(min(coalesce(d.due_at, :now::timestamptz)), s.quiet_until) as due_at
from subscription s join delivery d on d.subscription = s.name and d.state = 'waiting'
where s.name = any(:names::text[]) and s.state = 'active'
group by s.name
having greatest(min(coalesce(d.due_at, :now::timestamptz)), s.quiet_until) > :now::timestamptz;

-- name: quiet_subscription!
update subscription set quiet_until = :until::timestamptz
where name = :name and (quiet_until is null or quiet_until < :until::timestamptz);

-- name: open_delivery
select d.id as delivery_id, d.notification_id, coalesce('msg_' || n.message_id, d.id) as message_id,
    n.topic, n.message, n.about, n.link, coalesce(n.raised_at, d.created_at) as raised_at, n.count, n.failures,
    d.subscription, s.channel, s.url, s.sealed_secret, s.format, s.template,
    d.tries, d.first_tried_at, s.last_success_at
from delivery d left join notification n on n.id = d.notification_id join subscription s on s.name = d.subscription
where d.id = :id and d.state = 'queued' and (s.state = 'active' or (s.state = 'dead' and d.notification_id is null));

-- name: note_try!
-- Goes on for a try that will be repeated, ends for one that settles it.
update delivery set state = :state::text, tries = :tries, reason = :reason, due_at = :retry_at::timestamptz,
    status = :status, milliseconds = :milliseconds,
    first_tried_at = coalesce(first_tried_at, :started_at::timestamptz),
    ended_at = case when :state::text = 'waiting' then null else :now::timestamptz end
where id = :id and state = 'queued';

-- name: note_success!
update subscription set last_success_at = :now where name = :name and (last_success_at is null or last_success_at < :now);

-- name: end_subscription
-- Removed by a person, or found dead. The log's is a setting, not a subscription of a person.
update subscription set state = :state, reason = :reason, sequence = sequence + 1, quiet_until = null,
    sealed_secret = case when :state = 'removed' then null else sealed_secret end
where name = :name and channel = 'webhook' and state = any(:from_states::text[])
returning url, topics, format, template, sequence;

-- name: enable_subscription
-- A dead one begins anew: what it reached before proves nothing.
update subscription set state = 'active', reason = '', sequence = sequence + 1, last_success_at = null, quiet_until = null
where name = :name and channel = 'webhook' and state = 'dead'
returning url, topics, format, template, sequence;

-- name: drop_deliveries
update delivery set state = 'dropped', reason = :reason, ended_at = :now
where subscription = :name and state in ('waiting', 'queued')
returning id;

-- name: find_undelivered
select id from delivery
where subscription = :name and state in ('dead', 'dropped') and notification_id is not null
order by created_at desc limit :limit;

-- name: find_deliveries
select id, state, notification_id is null as is_test from delivery
where id = any(:ids::text[]) and subscription = :name;

-- name: wait_again
-- Delivered, dead or dropped: somebody asked for them again.
update delivery set state = 'waiting', tries = 0, reason = '', first_tried_at = null, ended_at = null, due_at = null
where id = any(:ids::text[]) and state in ('delivered', 'dead', 'dropped')
returning id;

-- name: add_subscription
-- No row comes back when the name is taken. A removed one's name is free.
insert into subscription as s (name, channel, url, topics, sealed_secret, format, template, state)
values (:name, 'webhook', :url, :topics::text[], :sealed_secret, :format, :template::jsonb, 'active')
on conflict (name) do update set url = excluded.url, topics = excluded.topics, sealed_secret = excluded.sealed_secret,
    format = excluded.format, template = excluded.template,
    state = 'active', reason = '', last_success_at = null, quiet_until = null, sequence = s.sequence + 1
where s.state = 'removed' and s.channel = 'webhook'
returning sequence;

-- name: find_subscription
select state, channel from subscription where name = :name;

-- name: set_log_subscription!
-- The log is subscribed to everything, or to nothing, as the setting says.
insert into subscription (name, channel, url, topics, state)
values ('log', 'log', '', array['discover', 'done', 'error', 'warning', 'release'], :state)
on conflict (name) do update set state = excluded.state where subscription.channel = 'log';

-- name: find_missing
-- Which of these ids no notification has.
select wanted.id from unnest(:ids::bigint[]) as wanted (id)
where not exists (select from notification n where n.id = wanted.id) order by wanted.id;

-- name: mark_read
update notification set read_at = :now
where read_at is null and (id = any(:ids::bigint[]) or id <= :up_to::bigint)
returning id;

-- name: next_reading
update reading set sequence = sequence + :events::bigint where inbox = :inbox returning sequence;

-- name: prune_notifications!
delete from notification where id = any(array(
    select id from notification where raised_at < :before
        or id <= (select id from notification order by id desc offset :keep::bigint limit 1)
    order by id limit :limit
));

-- name: prune_heard!
delete from heard where event_id = any(array(
    select event_id from heard where heard_at < :before order by heard_at limit :limit
));

-- name: prune_quiet!
delete from quiet where key = any(array(select key from quiet where until < :now limit :limit));

-- name: prune_names!
delete from strategy_name where strategy_id = any(array(
    select strategy_id from strategy_name where heard_at < :before limit :limit
));

-- name: prune_tests!
delete from delivery where id = any(array(
    select id from delivery where notification_id is null and created_at < :before limit :limit
));

-- name: prune_batches!
delete from note_batch where key = any(array(
    select key from note_batch where since is null and last_at < :before limit :limit
));

-- name: prune_failures!
delete from strategy_failure where ctid = any(array(
    select ctid from strategy_failure where failed_at < :before limit :limit
));

-- name: open_batches
-- Locked until the commit. After a rest they are told one by one again.
insert into note_batch as g (key, last_at) select key, :now::timestamptz from unnest(:keys::text[]) as k (key)
on conflict (key) do update set last_at = excluded.last_at,
    told = case when g.last_at < excluded.last_at - :rest::interval then 0 else g.told end
returning key, told, since;

-- name: add_to_batch!
with waits as (
    insert into batched_note (key, item, note)
    select :key, item, note::jsonb from unnest(:items::text[], :notes::text[]) with ordinality as n (item, note, position)
    order by position
    on conflict (key, item) do nothing
)
update note_batch set told = told + :alone,
    since = case when cardinality(:items::text[]) > 0 then coalesce(since, :now::timestamptz) else since end
where key = :key;

-- name: close_batch
-- Not if somebody is just adding to it: then another timer comes.
update note_batch set since = null where key = any(array(
    select key from note_batch where key = :key for update skip locked
)) returning key;

-- name: take_batch
with taken as (delete from batched_note where key = :key returning position, note)
select note, count(*) over () as count from taken order by position limit :limit;

-- name: add_failures!
-- The first of each strategy.
insert into strategy_failure (strategy_id, operation_id, failure, failed_at)
select n.strategy_id, n.operation_id, n.failure::jsonb, n.failed_at
from unnest(:strategy_ids::text[], :operation_ids::text[], :failures::text[], :ats::timestamptz[], :places::int[])
    as n (strategy_id, operation_id, failure, failed_at, place)
where n.place + (select count(*) from strategy_failure f where f.strategy_id = n.strategy_id) <= :most
on conflict do nothing;

-- name: find_failures
select strategy_id, failure from strategy_failure where strategy_id = any(:ids::text[])
    and failed_at < coalesce((:befores::timestamptz[])[array_position(:ids::text[], strategy_id)], 'infinity')
order by strategy_id, failed_at, operation_id;

-- name: forget_failures!
-- Set going again: what failed before is no news.
delete from strategy_failure f using unnest(:ids::text[], :befores::timestamptz[]) as n (strategy_id, before)
where f.strategy_id = n.strategy_id and f.failed_at < n.before;
