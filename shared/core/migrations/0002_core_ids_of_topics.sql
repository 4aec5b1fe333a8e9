-- A topic that was deleted and made again is another one: known by its id, told, and read from its beginning.
alter table consumed
    add column if not exists topic_id uuid,
    add column if not exists lost_at timestamptz,
    add column if not exists lost_from bigint;
