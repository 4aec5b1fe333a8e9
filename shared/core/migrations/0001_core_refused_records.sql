create table refused_record (
    -- What Kafka refused for good, kept whole. It holds nobody up; a person sends it again or drops it.
    id bigint generated always as identity primary key,
    topic text not null,
    type text not null, -- of the message, '' when it has none
    subject text not null,
    bytes integer not null, -- of key, headers and body
    reason text not null,
    refused_at timestamptz not null,
    parcel bytea not null -- the record, packed (shared/core/outbox.py)
);
alter table refused_record alter column parcel set storage external; -- compressed already
