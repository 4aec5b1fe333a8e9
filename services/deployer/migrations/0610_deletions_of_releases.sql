alter table release
    add column deletion text,
    add column deletion_at timestamptz,
    add constraint release_deletion check ((deletion is null) = (deletion_at is null));
