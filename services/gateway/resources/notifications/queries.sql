-- name: put_notifications
insert into notification (notification_id, topic, message, about, link, raised_at, failed)
select notification_id, topic, message, about, link, raised_at, failed::jsonb
from unnest(:ids::bigint[], :topics::text[], :messages::text[], :abouts::text[], :links::text[],
            :raised::timestamptz[], :failed::text[])
    as n (notification_id, topic, message, about, link, raised_at, failed)
on conflict (notification_id) do nothing;

-- name: mark_read
update notification set read = true where notification_id = any(:ids::bigint[]) and not read;

-- name: list_notifications
select notification_id, topic, message, about, link, raised_at, read, failed from notification
where notification_id < :before and (:topic::text is null or topic = :topic) and (not read or not :unread)
order by notification_id desc limit :limit;

-- name: prune_notifications
-- As the notifier does by itself, which no longer knows them.
delete from notification where notification_id = any(array(
    select notification_id from notification where raised_at < :before
        or notification_id <= (select notification_id from notification order by notification_id desc offset :keep limit 1)
    order by notification_id limit :limit for update skip locked
));
