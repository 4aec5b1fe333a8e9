-- name: put_subscription
insert into subscription as s (name, url, topics, state, reason, format, template, seq, at)
values (:name, :url, :topics, :state, :reason, :format, :template::jsonb, :seq, :at)
on conflict (name) do update set
    url = excluded.url, topics = excluded.topics, state = excluded.state, reason = excluded.reason,
    format = excluded.format, template = excluded.template, seq = excluded.seq, at = excluded.at
where (s.seq, s.at) <= (excluded.seq, excluded.at);

-- name: put_deliveries
insert into delivery as d (delivery_id, subscription, notification_id, topic, message, state, tries, status,
                           milliseconds, reason, next_try_at, nth, at)
select delivery_id, subscription, notification_id, topic, message, state, tries, status, milliseconds, reason,
       next_try_at, nth, at
from unnest(:ids::text[], :subscriptions::text[], :notification_ids::bigint[], :topics::text[], :messages::text[],
            :states::text[], :tries::int[], :statuses::int[], :milliseconds::int[], :reasons::text[],
            :next_tries::timestamptz[], :nths::bigint[], :ats::timestamptz[]) with ordinality
    as n (delivery_id, subscription, notification_id, topic, message, state, tries, status, milliseconds, reason,
          next_try_at, nth, at, place)
order by place
on conflict (delivery_id) do update set
    state = excluded.state, tries = excluded.tries, status = excluded.status, milliseconds = excluded.milliseconds,
    reason = excluded.reason, next_try_at = excluded.next_try_at, nth = excluded.nth, at = excluded.at
where d.nth < excluded.nth;

-- name: list_subscriptions
select name, url, topics, state, reason, format, template from subscription
where state != 'removed' and name > :after order by name limit :limit;

-- name: find_subscription
select name, url, topics, state, reason, format, template from subscription where name = :name and state != 'removed';

-- name: known_subscriptions
select name from subscription where name = any(:names::text[]) and state = 'active';

-- name: list_deliveries
select position, delivery_id, subscription, notification_id, topic, message, state, tries, status, milliseconds, reason,
       next_try_at, at
from delivery
where subscription = :subscription and position < :before and (:state::text is null or state = :state)
order by position desc limit :limit;

-- name: find_delivery
select delivery_id, subscription, notification_id, topic, message, state, tries, status, milliseconds, reason,
       next_try_at, at
from delivery where delivery_id = :delivery_id;

-- name: prune_deliveries
delete from delivery where position = any(array(
    select position from delivery where at < :before order by at limit :limit for update skip locked
));
