alter table release
    add column withdrawn_at timestamptz,
    add column unneeded boolean not null default false,
    add constraint release_check check (withdrawn or not unneeded);
