-- name: hear
-- The events that were not told of before.
insert into heard (event_id, heard_at) select distinct unnest(:event_ids::text[]), :now::timestamptz
on conflict do nothing returning event_id;

-- name: begin_quiet
-- The keys that may speak now; from now on they are quiet.
insert into quiet (key, until) select distinct unnest(:keys::text[]), :until::timestamptz
on conflict (key) do update set until = excluded.until where quiet.until <= :now
returning key;

-- name: learn_names!
insert into strategy_name (strategy_id, name, heard_at)
select distinct on (strategy_id) strategy_id, name, :now::timestamptz
from unnest(:ids::text[], :names::text[]) as n (strategy_id, name)
on conflict (strategy_id) do update set name = excluded.name, heard_at = excluded.heard_at;

-- name: find_names
select strategy_id, name from strategy_name where strategy_id = any(:ids::text[]);

-- name: put_notifications
insert into notification (topic, message, about, link, raised_at)
select topic, message, about, link, :now::timestamptz
from unnest(:topics::text[], :messages::text[], :abouts::text[], :links::text[])
    with ordinality as n (topic, message, about, link, position)
order by position
returning id;

-- name: put_deliveries
-- One for each notification and active subscription that wants its topic.
insert into delivery (id, notification_id, subscription, state)
select n.id || ':' || s.name, n.id, s.name, 'waiting'
from notification n join subscription s on n.topic = any(s.topics)
where n.id = any(:ids::bigint[]) and s.state = 'active'
returning subscription;

-- name: lock_subscriptions
-- Always in the order of the names, so that two transactions never wait for each other. Not `for update`: that would
-- wait for whoever just put deliveries (their foreign key shares the row), who may wait here for us.
select name from subscription where name = any(:names::text[]) order by name for no key update;

-- name: admit_deliveries
-- Fill the lanes: of each subscription so many deliveries are with the workers, the oldest first.
-- The rows are locked before, so that two replicas do not fill the same place.
with lane as (
    select s.name, :limit::int - count(d.id) as free
    from subscription s left join delivery d on d.subscription = s.name and d.state = 'queued'
    where s.name = any(:names::text[]) and s.state = 'active'
    group by s.name
), next as (
    select w.id from lane cross join lateral (
        select d.id from delivery d where d.subscription = lane.name and d.state = 'waiting'
        order by d.notification_id limit greatest(lane.free, 0)
    ) w
)
update delivery d set state = 'queued' from next where d.id = next.id and d.state = 'waiting' returning d.id;

-- name: open_parcel
select d.id as delivery_id, d.notification_id, n.topic, n.message, n.about, n.link, n.raised_at,
    d.subscription, s.channel, s.url, s.sealed_secret, d.tries, d.first_tried_at, s.last_success_at
from delivery d join notification n on n.id = d.notification_id join subscription s on s.name = d.subscription
where d.id = :id and d.state = 'queued' and s.state = 'active';

-- name: note_try!
-- Goes on for a try that will be repeated, ends for one that settles it.
update delivery set state = :state::text, tries = :tries, reason = :reason,
    first_tried_at = coalesce(first_tried_at, :started_at::timestamptz),
    ended_at = case when :state::text = 'queued' then null else :now::timestamptz end
where id = :id and state = 'queued';

-- name: note_success!
update subscription set last_success_at = :now where name = :name and (last_success_at is null or last_success_at < :now);

-- name: end_subscription
-- Removed by a person, or found dead. The log's is a setting, not a subscription of a person.
update subscription set state = :state, reason = :reason, sequence = sequence + 1,
    sealed_secret = case when :state = 'removed' then null else sealed_secret end
where name = :name and channel = 'webhook' and state = any(:from_states::text[])
returning url, topics, sequence;

-- name: drop_deliveries!
update delivery set state = 'dropped', reason = :reason, ended_at = :now
where subscription = :name and state in ('waiting', 'queued');

-- name: add_subscription
-- No row comes back when the name is taken. A removed one's name is free.
insert into subscription as s (name, channel, url, topics, sealed_secret, state)
values (:name, 'webhook', :url, :topics::text[], :sealed_secret, 'active')
on conflict (name) do update set url = excluded.url, topics = excluded.topics, sealed_secret = excluded.sealed_secret,
    state = 'active', reason = '', last_success_at = null, sequence = s.sequence + 1
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
delete from notification where raised_at < :before
or id <= (select id from notification order by id desc offset :keep::bigint limit 1);

-- name: prune_heard!
delete from heard where heard_at < :before;

-- name: prune_quiet!
delete from quiet where until < :now;

-- name: prune_names!
delete from strategy_name where heard_at < :before;
