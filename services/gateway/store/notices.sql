-- name: put_notifications
insert into notification (notification_id, topic, message, about, link, raised_at)
select * from unnest(:ids::bigint[], :topics::text[], :messages::text[], :abouts::text[], :links::text[],
                     :raised::timestamptz[])
on conflict (notification_id) do nothing;

-- name: mark_read
update notification set read = true where notification_id = any(:ids::bigint[]) and not read;

-- name: put_subscription
insert into subscription as s (name, url, topics, state, reason, seq, at)
values (:name, :url, :topics, :state, :reason, :seq, :at)
on conflict (name) do update set
    url = excluded.url, topics = excluded.topics, state = excluded.state, reason = excluded.reason,
    seq = excluded.seq, at = excluded.at
where (s.seq, s.at) <= (excluded.seq, excluded.at);

-- name: list_notifications
select notification_id, topic, message, about, link, raised_at, read from notification
where notification_id < :before and (:topic::text is null or topic = :topic) and (not read or not :unread)
order by notification_id desc limit :limit;

-- name: list_subscriptions
select name, url, topics, state, reason from subscription
where state != 'removed' and name > :after order by name limit :limit;
