alter table bundle
    drop constraint bundle_state_check,
    add constraint bundle_state_check check (state in ('validating', 'rejected', 'available', 'withdrawn', 'deleted')),
    drop constraint freed_when_nobody_needs_it,
    add constraint freed_when_nobody_needs_it check (
        freed_at is null or state in ('rejected', 'deleted') or (state = 'withdrawn' and unneeded_at is not null)
    );
create table deletion (
    bundle_sha256 text primary key references bundle,
    id text not null unique,
    reason text not null,
    correlation_id text not null,
    actor text not null
);
